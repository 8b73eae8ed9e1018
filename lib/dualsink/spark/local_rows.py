"""Data frames of rows that the driver has."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType


def frame(spark: SparkSession, rows: Sequence[Sequence[Any]], ddl: str) -> DataFrame:
    """Return rows as a data frame.

    Each has a value for every column of the DDL; times have a zone. They travel by Arrow: `createDataFrame` of a list
    starts a Python worker to convert them, a second of work for a handful. Raises ArrowInvalid or ArrowTypeError for a
    value that is not of its column's type.
    """
    schema = StructType.fromDDL(ddl)
    columns = to_arrow_schema(schema)
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    arrays = [pa.array(column, field.type) for column, field in zip(values, columns, strict=True)]
    return spark.createDataFrame(pa.Table.from_arrays(arrays, schema=columns), schema)
