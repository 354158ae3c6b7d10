-- More than one model in a query, and more than one class of an image.
-- A model is named by a setting; spark.classify.model is the one that counts where none is named. The second one here
-- only tells the main colour of an image.

SET spark.classify.models.cards=model;
SET spark.classify.models.colours=tests/golden/colour-model;

-- Both run in one operator, which decodes each image once.
SELECT path, classify(path, model => 'cards').class AS card, classify(path, model => 'colours').class AS colour
FROM images ORDER BY path LIMIT 5;

-- The two most probable classes, one a row.
SELECT path, k.class, round(k.confidence, 3) AS confidence
FROM (SELECT * FROM images ORDER BY path LIMIT 3)
LATERAL VIEW explode(classify_topk(path, 2, model => 'cards')) AS k;

-- The second model sees only what the first one calls valid.
SELECT classify(path, model => 'colours').class AS colour, count(*) AS valid_ids
FROM images WHERE classify(path, model => 'cards').class = 'valid_id' GROUP BY ALL ORDER BY colour;
