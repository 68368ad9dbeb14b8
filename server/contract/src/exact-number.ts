/** The most digits of an integer that is kept exactly. Source: DuckDB's DECIMAL and Parquet's have 38. */
export const maxIntegerDigits = 38

/** What an {@link ExactNumber} has as text. */
export const exactNumberPattern = '^(?:nan|-?inf|-?[1-9][0-9]{15,37})$'
