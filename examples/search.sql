-- Finds the images that are most like one of them, by the vectors that a network makes of them. The network here knows
-- colours alone; `spark-classify export --embeddings` makes a model directory of CLIP, SigLIP, DINOv2 and others.

SET spark.classify.models.colours=tests/golden/colour-embedding;

-- Vectors are worth keeping: making them is what takes the time.
CACHE TABLE vectors AS
SELECT path, embed_image(path, model => 'colours') AS v FROM images;

-- The vectors have length 1, so their dot product is the cosine of the angle between them: 1 for equal images.
SELECT path, round(aggregate(zip_with(v, q, (x, y) -> x * y), 0D, (sum, xy) -> sum + xy), 4) AS similarity
FROM vectors CROSS JOIN (SELECT v AS q FROM vectors WHERE path = 'dataset/all_images/id_0001.jpg')
ORDER BY similarity DESC, path LIMIT 5;
