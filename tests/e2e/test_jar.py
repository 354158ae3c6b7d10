"""What the jar holds beside its code."""

from __future__ import annotations

import zipfile


def test_it_holds_the_licences_of_what_is_in_it(jar):
    with zipfile.ZipFile(jar) as archive:
        assert {"META-INF/LICENSE", "META-INF/NOTICE"} <= set(archive.namelist())
        text = archive.read("META-INF/THIRD-PARTY-LICENSES.txt").decode()
    bundled = (
        "ONNX Runtime (MIT)",
        "libjpeg-turbo, in turbojpeg-sys",
        "dav1d, in libdav1d-sys",
        "bzip2, in bzip2-sys",
        "Independent JPEG Group",
    )
    for name in (*bundled, "\njni 0.22", "\ntch "):
        assert name in text, name
