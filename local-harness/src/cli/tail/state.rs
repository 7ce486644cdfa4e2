//! The file that keeps where `tail` stopped.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use signalroom_harness::follow::Position;

/// A position in a file. It is replaced as a whole: whoever reads it finds the old or the new.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    draft: PathBuf,
}

impl State {
    /// The file at `path`, which need not exist yet.
    pub(super) fn at(path: &Path) -> Self {
        // In the same folder, since a rename does not cross file systems.
        let mut draft = path.as_os_str().to_owned();
        draft.push(".new");
        Self {
            path: path.to_owned(),
            draft: draft.into(),
        }
    }

    /// The position kept, if there is one.
    pub(super) fn load(&self) -> Result<Option<Position>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| self.name()),
        };
        let position = serde_json::from_slice(&text).with_context(|| {
            format!("{} holds no position; remove it to start anew", self.name())
        })?;
        Ok(Some(position))
    }

    /// Keeps `position` instead.
    pub(super) fn store(&self, position: &Position) -> Result<()> {
        let write = || {
            let mut draft = fs::File::create(&self.draft)?;
            draft.write_all(&serde_json::to_vec(position)?)?;
            draft.write_all(b"\n")?;
            // The rename must not reach the disk before what it names.
            draft.sync_data()?;
            fs::rename(&self.draft, &self.path)
        };
        write().with_context(|| self.name())
    }

    fn name(&self) -> String {
        format!("the state file {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_position_and_refuses_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(&folder.path().join("state"));
        assert_eq!(state.load().unwrap(), None);
        for seq in [3, 4] {
            let position = Position {
                epoch: "e".to_owned(),
                seq,
            };
            state.store(&position).unwrap();
            assert_eq!(state.load().unwrap(), Some(position));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(&state.path, "").unwrap();
        let error = format!("{:#}", state.load().unwrap_err());
        assert!(error.contains("remove it"), "{error}");
        fs::remove_dir_all(folder.path()).unwrap();
    }
}
