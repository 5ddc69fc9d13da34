//! Is another program at work there? A lock file, which the system lets go of with the process.

use std::fs::{File, TryLockError};
use std::path::Path;

/// Takes a lock, without waiting; it is held until the file is dropped. The file itself stays.
pub(crate) fn take(path: &Path) -> Result<File, TryLockError> {
    let options = File::options().create(true).truncate(false).write(true).open(path);
    let file = options.map_err(TryLockError::Error)?;
    file.try_lock().map(|()| file)
}
