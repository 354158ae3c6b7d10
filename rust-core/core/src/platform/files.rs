//! Files that users name.

use std::fs::{File, FileType, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Opens a regular file for reading, and nothing else: opening a FIFO waits for its writer, reading a terminal or
/// `/dev/zero` never ends, and merely opening some devices does something, as rewinding a tape.
///
/// No race remains with who replaces the file meanwhile. What the path leads to is found first, without opening it
/// (`O_PATH`); then that very thing, and not the path again, is looked at and opened. `O_NONBLOCK` would open devices,
/// and fails where another process has a lease on the file, or where it lies on tape.
///
/// # Errors
/// Those of `open`, and one that says what it is instead of a regular file.
pub fn open(path: &Path) -> Result<File> {
    let found = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
    let kind = found.metadata()?.file_type();
    if !kind.is_file() {
        return Err(Error::other(format!("it is {}, not a regular file", describe(kind))));
    }
    File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).map_err(|error| match error.kind() {
        // It is not the file that is missing.
        ErrorKind::NotFound => Error::other("/proc/self/fd is not there; mount /proc"),
        _ => error,
    })
}

/// The content of a regular file.
///
/// # Errors
/// Those of [`open`] and of reading.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content)?;
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

    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
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
}
