-- Classifies every image once, keeps the result, and asks it three things.

CREATE OR REPLACE TEMPORARY VIEW classified AS
SELECT path, actual_class, try_classify(path) AS c FROM images;

-- `c` is a struct: class, class_id, confidence, probabilities, and, of try_classify, error. A cache keeps it, so that no
-- image is classified twice.
CACHE TABLE predictions AS
SELECT path, actual_class, c.class AS predicted_class, c.confidence, c.error FROM classified;

-- How often each class is taken for which one.
SELECT actual_class, predicted_class, count(*) AS images
FROM predictions GROUP BY ALL ORDER BY actual_class, predicted_class;

-- How often that is right.
SELECT round(avg(CAST(actual_class = predicted_class AS INT)), 3) AS accuracy FROM predictions;

-- What a person should look at first.
SELECT path, predicted_class, round(confidence, 3) AS confidence FROM predictions ORDER BY predictions.confidence LIMIT 5;

-- Images that could not be read or decoded, of which there are none here. `classify` would have failed at the first.
SELECT path, error FROM predictions WHERE error IS NOT NULL;
