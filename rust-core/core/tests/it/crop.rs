//! Centre crops.

use spark_classify_imaging::ImageLimits;
use spark_classify_testing::odd_image;

use crate::preprocessing::samples;

#[test]
fn a_crop_is_the_middle_of_the_whole_and_pads_with_zeros() {
    let bytes = odd_image("baseline_420.jpg");
    let limits = ImageLimits::default();
    // 61 x 47: the shorter side becomes 30 and the longer 61 * 30 / 47 = 38.
    let whole = samples(r#""size": {"height": 30, "width": 38}, "resample": 3"#, limits, &bytes).unwrap();
    let edge = r#""size": {"shortest_edge": 30}, "resample": 3, "do_center_crop": true"#;
    let crop = format!(r#"{edge}, "crop_size": {{"height": 11, "width": 20}}"#);
    let cropped = samples(&crop, limits, &bytes).unwrap();
    for row in 0..11 {
        let expected = &whole[((row + 9) * 38 + 9) * 3..][..20 * 3];
        assert_eq!(&cropped[row * 20 * 3..][..20 * 3], expected, "row {row}");
    }
    let pad = format!(r#"{edge}, "crop_size": {{"height": 33, "width": 38}}"#);
    let padded = samples(&pad, limits, &bytes).unwrap();
    let (above, rest) = padded.split_at(2 * 38 * 3);
    let (image, below) = rest.split_at(whole.len());
    assert_eq!(image, whole);
    assert!(above.iter().chain(below).all(|sample| *sample == 0));
}
