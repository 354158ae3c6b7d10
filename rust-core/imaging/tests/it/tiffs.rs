//! TIFFs put together by hand.

const BYTE: u16 = 1;
const LONG: u16 = 4;

/// Where `data` begins in a file.
pub(crate) const DATA: u32 = 8;

/// A TIFF of `data` and of tags: those that are given as numbers, and those that are given as bytes.
pub(crate) fn tiff(data: &[u8], numbers: &[(u16, &[u32])], bytes: &[(u16, &[u8])]) -> Vec<u8> {
    let numbers = numbers.iter().map(|(tag, numbers)| {
        let value = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        (*tag, LONG, numbers.len(), value)
    });
    let bytes = bytes
        .iter()
        .map(|(tag, bytes)| (*tag, BYTE, bytes.len(), bytes.to_vec()));
    let mut tags: Vec<(u16, u16, usize, Vec<u8>)> = numbers.chain(bytes).collect();
    tags.sort_by_key(|(tag, ..)| *tag);

    let long = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let directory = DATA as usize + data.len();
    let mut file = [b"II*\0", &long(directory)[..], data].concat();
    file.extend_from_slice(&u16::try_from(tags.len()).unwrap().to_le_bytes());
    let mut elsewhere = Vec::new();
    let behind = directory + 2 + 12 * tags.len() + 4;
    for (tag, kind, count, mut value) in tags {
        file.extend_from_slice(&[tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend_from_slice(&long(count));
        if value.len() > 4 {
            let place = behind + elsewhere.len();
            elsewhere.append(&mut value);
            value.extend_from_slice(&long(place));
        }
        value.resize(4, 0);
        file.append(&mut value);
    }
    file.extend_from_slice(&[0; 4]);
    file.append(&mut elsewhere);
    file
}
