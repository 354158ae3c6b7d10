-- A model as of dbt: one query, whose result is a table. dbt writes the CREATE TABLE itself; its file is the SELECT below
-- it, and begins with
--   {{ config(materialized='table', file_format='parquet') }}
-- What a model of a network is called is in the session's settings (spark.classify.models.<name>), not in the query.

CREATE TABLE IF NOT EXISTS predictions USING parquet AS
SELECT
  path,
  actual_class,
  c.class AS predicted_class,
  c.confidence,
  c.error
FROM (SELECT path, actual_class, try_classify(path) AS c FROM images);

-- A test as of dbt: the rows that it gives are failures.
SELECT path, error FROM predictions WHERE predicted_class IS NULL;

SELECT count(*) AS rows FROM predictions;
