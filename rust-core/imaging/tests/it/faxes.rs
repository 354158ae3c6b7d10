//! Faxes in TIFFs decode to the bytes of Pillow; `scripts/fax_cases.py` asked it.

use base64::prelude::{Engine, BASE64_STANDARD};
use spark_classify_testing::{golden, sha256};

use crate::decoded;

#[test]
fn faxes_decode_as_in_pillow_whole_and_are_refused_or_decoded_cut() {
    let golden = golden("faxes.json");
    let mut wrong = Vec::new();
    for (name, case) in golden["cases"].as_object().unwrap() {
        let file = BASE64_STANDARD.decode(case["file"].as_str().unwrap()).unwrap();
        let (width, height) = (case["width"].as_u64().unwrap(), case["height"].as_u64().unwrap());
        match decoded(width, height, &file) {
            Ok(pixels) if case["sha256"] == sha256(&pixels) => {}
            Ok(_) => wrong.push(format!("{name}: other pixels")),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        for length in (16..file.len()).step_by(61) {
            let cut = decoded(width, height, &file[..length]);
            assert!(
                cut.is_ok() || !cut.unwrap_err().to_string().contains("panicked"),
                "{name}"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
