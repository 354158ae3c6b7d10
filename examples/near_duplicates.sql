-- Finds images that look alike, without a model: image_hash gives 64 bits of what an image looks like. A copy that was
-- resized or saved again differs in few of them.

CACHE TABLE hashes AS
SELECT path, image_hash(path).phash AS phash FROM images;

SELECT a.path, b.path AS looks_like, bit_count(a.phash ^ b.phash) AS different_bits
FROM hashes a JOIN hashes b ON a.path < b.path
WHERE bit_count(a.phash ^ b.phash) <= 6
ORDER BY different_bits, a.path, looks_like LIMIT 10;
