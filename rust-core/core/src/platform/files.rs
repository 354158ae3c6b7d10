//! Files that users name.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// A regular file that is open for reading.
#[derive(Debug)]
pub struct RegularFile {
    /// The file.
    pub file: File,
    /// How many bytes it had when it was opened.
    pub size: u64,
}

/// Opens a regular file for reading, and nothing else: opening a FIFO waits for its writer, reading a terminal or
/// `/dev/zero` never ends, and merely opening some devices does something, as rewinding a tape.
///
/// So the path is looked at first. What has taken its place in that moment is opened without waiting, and then looked
/// at itself, so it can hold nobody up either.
///
/// # Errors
/// Those of `open`, and one that says what it is instead of a regular file.
pub fn open(path: &Path) -> Result<RegularFile> {
    require_regular(&fs::metadata(path)?)?;
    let without_waiting = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    match without_waiting {
        Ok(file) => {
            let size = require_regular(&file.metadata()?)?;
            Ok(RegularFile { file, size })
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => open_patiently(path),
        Err(error) => Err(error),
    }
}

/// Opens a regular file that must be waited for: another process has a lease on it, as file servers take, or it lies on
/// tape. Takes three times as long.
///
/// What the path leads to is found without being opened (`O_PATH`); then that very thing, and not the path again, is
/// looked at and opened.
fn open_patiently(path: &Path) -> Result<RegularFile> {
    let found = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
    require_regular(&found.metadata()?)?;
    let file = File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))?;
    let size = file.metadata()?.len();
    Ok(RegularFile { file, size })
}

/// The size of what is a regular file.
fn require_regular(metadata: &Metadata) -> Result<u64> {
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let kind = describe(metadata.file_type());
    Err(Error::other(format!("it is {kind}, not a regular file")))
}

/// The content of a regular file.
///
/// # Errors
/// Those of [`open`] and of reading.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.file.read_to_end(&mut content)?;
    Ok(content)
}

fn describe(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() {
        "a character device"
    } else {
        "a block device"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::{Command, Stdio};
    use std::thread;

    use spark_classify_testing::make_fifo;

    use super::*;

    fn refusal(path: &Path) -> String {
        read(path).unwrap_err().to_string()
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let [file, fifo, socket, link, dangling] =
            ["file", "fifo", "socket", "link", "dangling"].map(|name| folder.path().join(name));
        fs::write(&file, "content").unwrap();
        make_fifo(&fifo);
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink(&fifo, &link).unwrap();
        symlink("/none", &dangling).unwrap();

        assert_eq!(read(&file).unwrap(), b"content");
        assert_eq!(refusal(&fifo), "it is a FIFO, not a regular file");
        assert_eq!(refusal(&link), refusal(&fifo));
        assert_eq!(refusal(&socket), "it is a socket, not a regular file");
        assert_eq!(refusal(folder.path()), "it is a directory, not a regular file");
        for device in ["/dev/null", "/dev/zero", "/dev/tty"] {
            assert_eq!(
                refusal(Path::new(device)),
                "it is a character device, not a regular file"
            );
        }
        for missing in [&dangling, Path::new("/none"), Path::new("")] {
            assert_eq!(open(missing).unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(open(&file.join("below")).unwrap_err().kind(), ErrorKind::NotADirectory);

        symlink(&file, folder.path().join("to the file")).unwrap();
        assert_eq!(read(&folder.path().join("to the file")).unwrap(), b"content");
    }

    #[test]
    fn a_fifo_that_takes_the_place_of_a_file_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let [path, fifo, aside] = ["path", "fifo", "aside"].map(|name| folder.path().join(name));
        fs::write(&path, "content").unwrap();
        make_fifo(&fifo);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut read, mut refused) = (0, 0);
                while read < 1000 || refused < 1000 {
                    match super::read(&path) {
                        Ok(content) => {
                            assert_eq!(content, b"content");
                            read += 1;
                        }
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        Err(error) => {
                            assert_eq!(error.to_string(), "it is a FIFO, not a regular file");
                            refused += 1;
                        }
                    }
                }
            });
            while !reader.is_finished() {
                fs::rename(&path, &aside).unwrap();
                fs::rename(&fifo, &path).unwrap();
                fs::rename(&path, &fifo).unwrap();
                fs::rename(&aside, &path).unwrap();
            }
        });
    }

    #[test]
    fn a_file_that_another_process_has_a_lease_on_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "content").unwrap();
        // The kernel tells the holder with SIGIO that somebody wants the file.
        let holder = "import fcntl, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
file = open(sys.argv[1], 'r+')
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('leased', flush=True)
signal.sigwait([signal.SIGIO])
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)";
        let mut holder = Command::new("python3")
            .args(["-c", holder])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "leased\n");
        assert_eq!(read(&file).unwrap(), b"content");
        assert!(holder.wait().unwrap().success());
        assert_eq!(open_patiently(&file).unwrap().size, 7);
        assert!(open_patiently(folder.path()).is_err());
    }
}
