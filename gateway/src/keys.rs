//! The keys of the built-in callers: files that only their owner may read.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Kind};

use crate::built_in;
use crate::caller::{ApiKey, Caller, Grant};
use crate::error::DOMAIN;

/// Reads the key in a file: one line.
pub fn load_key(path: &Path) -> Result<String, Error> {
    read(path)?.map(|key| key.as_str().to_owned()).ok_or_else(|| {
        failed(path, &"there is no such file; the gateway writes it at its first start")
    })
}

/// Makes the callers that every platform has, each with its key: the one in its file, or else a new one.
pub(crate) fn built_in_callers(directory: &Path, now: Instant) -> Result<Vec<Caller>, Error> {
    fs::create_dir_all(directory).map_err(|e| failed(directory, &e))?;
    fs::set_permissions(directory, Permissions::from_mode(0o700))
        .map_err(|e| failed(directory, &e))?;
    built_in::ALL
        .iter()
        .map(|built_in| {
            let grants = built_in.grants().map(Grant::parse).collect::<Result<_, _>>();
            Ok(Caller {
                name: built_in.name.into(),
                kind: built_in.kind,
                key_hash: key_of(directory, built_in.name)?.hash(),
                method_grants: grants.map_err(|cause| Error::internal(DOMAIN, cause))?,
                right_grants: built_in.rights.iter().map(|right| (*right).to_owned()).collect(),
                created_at: now,
            })
        })
        .collect()
}

/// Path of a built-in caller's key.
pub(crate) fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.key"))
}

fn key_of(directory: &Path, name: &str) -> Result<ApiKey, Error> {
    let path = path(directory, name);
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    let key = ApiKey::generate();
    match write(&path, &key) {
        Ok(()) => Ok(key),
        // Another gateway on the same directory was faster: its key counts.
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
            read(&path)?.ok_or_else(|| failed(&path, &cause))
        }
        Err(cause) => Err(failed(&path, &cause)),
    }
}

/// Writes beside and links, so that a crash leaves no half key and a race has one winner.
fn write(path: &Path, key: &ApiKey) -> std::io::Result<()> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", key.as_str())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    linked
}

fn read(path: &Path) -> Result<Option<ApiKey>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => ApiKey::parse(text.trim())
            .map(Some)
            .ok_or_else(|| failed(path, &"it holds no key; remove it to get a new one")),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(path, &cause)),
    }
}

fn failed(path: &Path, cause: &dyn std::fmt::Display) -> Error {
    let message = format!("key {}: {cause}", path.display());
    Error::new(Kind::Invalid, DOMAIN, "KEY_UNREADABLE", message).with("path", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_and_a_missing_file_means_a_new_key() {
        let directory = tempfile::tempdir().expect("make a directory");
        let first = built_in_callers(directory.path(), Instant(1)).expect("make callers");
        let again = built_in_callers(directory.path(), Instant(1)).expect("make callers");
        assert_eq!(first, again);
        let operator = path(directory.path(), "operator");
        let mode = fs::metadata(&operator).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_file(&operator).expect("remove");
        let renewed = built_in_callers(directory.path(), Instant(1)).expect("make callers");
        let changed: Vec<_> = first.iter().zip(&renewed).filter(|(a, b)| a != b).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(&*changed[0].0.name, "operator");
    }

    #[test]
    fn a_file_without_a_key_is_named() {
        let directory = tempfile::tempdir().expect("make a directory");
        let file = path(directory.path(), "order");
        fs::write(&file, "hello").expect("write");
        let error = load_key(&file).expect_err("no key");
        assert!(error.message.contains("order.key"), "{error}");
        let missing = load_key(&path(directory.path(), "nobody")).expect_err("no file");
        assert!(missing.message.contains("nobody.key"), "{missing}");
    }
}
