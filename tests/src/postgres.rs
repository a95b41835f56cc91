//! A PostgreSQL database of a test's own: each role takes the schema of its name, so one platform needs one database.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use throughline_kit::id::new_body;

/// Where the tests find a server: `postgres://user@host/database`.
const SERVER_VARIABLE: &str = "THROUGHLINE_TEST_POSTGRES";

/// An empty database, dropped by [`OwnDatabase::end`].
#[derive(Debug)]
pub struct OwnDatabase {
    server: String,
    name: String,
}

impl OwnDatabase {
    /// Makes one on the server of the environment; `None`, and a line that says so, where none is named.
    pub async fn make() -> Option<Self> {
        let Some(server) = server() else {
            eprintln!("{SERVER_VARIABLE} names no server: not tried on PostgreSQL");
            return None;
        };
        let name = format!("test_{}", new_body());
        let database = Self { server, name };
        database.tell(format!("CREATE DATABASE \"{}\"", database.name)).await;
        Some(database)
    }

    /// Its own address.
    pub fn url(&self) -> String {
        let (place, options) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (host, _) = place.rsplit_once('/').expect("postgres://user@host/database");
        let mark = if options.is_empty() { "" } else { "?" };
        format!("{host}/{}{mark}{options}", self.name)
    }

    /// Writes a configuration that has the platform store here.
    pub fn configuration(&self, directory: &Path) -> PathBuf {
        let file = directory.join("postgres.toml");
        let text = format!("[platform]\npostgres_url = {:?}\n", self.url());
        std::fs::write(&file, text).expect("written");
        file
    }

    /// Names of its schemas.
    pub async fn schemas(&self) -> Vec<String> {
        let mut connection = PgConnection::connect(&self.url()).await.expect("the server answers");
        let names = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace")
            .fetch_all(&mut connection)
            .await
            .expect("read");
        connection.close().await.expect("closed");
        names
    }

    /// Cuts all connections to it, as a restart of the server does.
    pub async fn cut_connections(&self) {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
        self.tell(format!("{others} '{}'", self.name)).await;
    }

    /// Drops it, with whoever is still connected.
    pub async fn end(self) {
        self.tell(format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name)).await;
    }

    async fn tell(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.server).await.expect("the server answers");
        // A name cannot be a parameter; this one is our own.
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("done");
        connection.close().await.expect("closed");
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are configured by one variable")]
fn server() -> Option<String> {
    std::env::var(SERVER_VARIABLE).ok().filter(|url| !url.is_empty())
}
