//! One process for each role, as in an installation: started, ended, killed and started again one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;

use throughline::args::Role;

use crate::desk::Desk;
use crate::process::{Up, free_ports};

/// The processes, and where they are.
#[derive(Debug)]
pub struct Roles {
    data_dir: PathBuf,
    /// First port of the platform.
    pub port_base: u16,
    more: Vec<String>,
    running: BTreeMap<&'static str, Up>,
}

impl Roles {
    /// Starts all seven on a data directory, each with more options; the gateway first, the others at once.
    pub fn start(data_dir: &Path, more: &[&str]) -> Self {
        let mut roles = Self {
            data_dir: data_dir.to_owned(),
            port_base: free_ports(),
            more: more.iter().map(|option| (*option).to_owned()).collect(),
            running: BTreeMap::new(),
        };
        roles.restart(Role::Gateway);
        let others = Role::ALL.into_iter().filter(|role| *role != Role::Gateway);
        let started: Vec<(Role, Up)> = thread::scope(|scope| {
            let starting: Vec<_> = others
                .map(|role| {
                    let roles = &roles;
                    (role, scope.spawn(move || roles.process(role)))
                })
                .collect();
            let up = |handle: thread::ScopedJoinHandle<'_, Up>| handle.join().expect("it starts");
            starting.into_iter().map(|(role, handle)| (role, up(handle))).collect()
        });
        roles.running.extend(started.into_iter().map(|(role, up)| (role.name(), up)));
        roles
    }

    fn process(&self, role: Role) -> Up {
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        Up::serve_with(role.name(), &self.data_dir, self.port_base, &more)
    }

    /// Those who call the gateway.
    pub fn desk(&self) -> Desk {
        Desk::open(&self.process_of(Role::Gateway).gateway_uri(), &self.data_dir.join("keys"))
    }

    /// The running process of a role.
    pub fn process_of(&self, role: Role) -> &Up {
        self.running.get(role.name()).expect("it runs")
    }

    /// Kills a role as a power cut would.
    pub fn kill(&mut self, role: Role) {
        self.running.remove(role.name()).expect("it runs").kill();
    }

    /// Asks a role to end, and waits for it.
    pub fn terminate(&mut self, role: Role) -> ExitStatus {
        self.running.remove(role.name()).expect("it runs").terminate()
    }

    /// Starts a role that does not run, and waits until it says that it serves.
    pub fn restart(&mut self, role: Role) {
        let up = self.process(role);
        let before = self.running.insert(role.name(), up);
        assert!(before.is_none(), "{} runs already", role.name());
    }

    /// Asks all to end, the gateway last; each must say that it ended well.
    pub fn end(mut self) {
        for role in Role::ALL.into_iter().rev() {
            let status = self.terminate(role);
            assert!(status.success(), "{} ended with {status}", role.name());
        }
    }
}
