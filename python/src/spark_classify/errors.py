"""The error whose message a user reads."""


class ClassifyError(Exception):
    """What this package itself cannot do, such as find a jar; the message names the thing, the reason and the way out.

    Errors of queries are PySpark's own exceptions: `AnalysisException` and `SparkRuntimeException`, whose condition
    (`getCondition()`, on Spark 3.5 `getErrorClass()`) begins with `CLASSIFY_`.
    """
