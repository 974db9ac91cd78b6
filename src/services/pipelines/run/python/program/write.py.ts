/** A data frame → columns with types, and rows in canonical form. */
export const writePart = String.raw`
special = re.compile(r"[\\\b\f\n\r\t\v]")
escapes = {ord("\\"): r"\\", 8: r"\b", 12: r"\f", 10: r"\n", 13: r"\r", 9: r"\t", 11: r"\v"}
rows_at_once = 1 << 15

null_types = {type(None)}

def is_null(v):
    # pandas takes Decimal("NaN") for a missing value; it is a value.
    return v is None or v is pd.NA or v is pd.NaT or (isinstance(v, float) and v != v) or (isinstance(v, np.datetime64) and np.isnat(v))

def float_text(text):
    """Python's shortest digits, with the exponents where PostgreSQL writes them."""
    if text.endswith(".0"):
        digits = text[:-2]
        size = len(digits.lstrip("-"))
        if size < 16:
            return digits
        first = len(digits) - 15
        rest = digits[first:].rstrip("0")
        return digits[:first] + ("." + rest if rest else "") + "e+15"
    if "n" in text:
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[text]
    return text

def fraction(text):
    return text.rstrip("0").rstrip(".") if "." in text else text

def moment_texts(values, unit=None):
    """datetime64 → texts, NaT → \\N."""
    if len(values) == 0:
        return []
    if unit is None:
        unit = "s" if (values == values.astype("datetime64[s]")).all() or np.isnat(values).all() else values.dtype.name[11:-1]
    texts = np.datetime_as_string(values, unit=unit).tolist()
    if unit == "D":
        return ["\\N" if t == "NaT" else t for t in texts]
    return ["\\N" if t == "NaT" else fraction(t[:10] + " " + t[11:]) for t in texts]

def decimal_text(v):
    text = str(v)
    # Exponents, "sNaN", "-NaN".
    return text if "E" not in text and "N" not in text else "NaN" if v.is_nan() else format(v, "f")

def object_text(v):
    if isinstance(v, str):
        return v
    if isinstance(v, (bool, np.bool_)):
        return "1" if v else "0"
    if isinstance(v, decimal.Decimal):
        return decimal_text(v)
    if isinstance(v, (float, np.floating)):
        return float_text(str(v))
    if isinstance(v, datetime.datetime):
        if v.tzinfo is not None:
            v = v.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return fraction(v.isoformat(" "))
    if isinstance(v, datetime.time):
        return fraction(v.isoformat())
    if isinstance(v, np.datetime64):
        return object_text(pd.Timestamp(v))
    if isinstance(v, (bytes, bytearray, memoryview)):
        return "\\x" + v.hex()
    if isinstance(v, (list, tuple, set, frozenset, dict, np.ndarray)):
        return json_text(v)
    return str(v)

def json_text(v):
    if is_null(v) and not isinstance(v, float):
        return "null"
    if isinstance(v, (bool, np.bool_)):
        return "true" if v else "false"
    if isinstance(v, (int, np.integer)):
        return str(v)
    if isinstance(v, (float, np.floating, decimal.Decimal)):
        text = object_text(v)
        return '"' + text + '"' if "n" in text or "N" in text else text
    if isinstance(v, dict):
        return "{" + ",".join(json_text(str(k)) + ":" + json_text(w) for k, w in v.items()) + "}"
    if isinstance(v, (list, tuple, set, frozenset, np.ndarray)):
        return "[" + ",".join(map(json_text, v)) + "]"
    return json.dumps(object_text(v), ensure_ascii=False)

def numbers(series, convert):
    is_masked = hasattr(series.dtype, "numpy_dtype")
    values = series.array.to_numpy(dtype=series.dtype.numpy_dtype, na_value=0) if is_masked else series.to_numpy()
    return ["\\N" if m else t for m, t in zip(series.isna().tolist(), convert(values))]

def texts_of(series, kind):
    """One column's fields of some rows, escaped."""
    if series.dtype == object:
        values = series.tolist()
        kinds = set(map(type, values)) - null_types
        if kinds == {str}:
            texts = [v if type(v) is str else "" for v in values]
        elif kinds == {decimal.Decimal}:
            texts = ["" if type(v) in null_types else decimal_text(v) for v in values]
        else:
            texts = ["" if is_null(v) else object_text(v) for v in values]
        if special.search("\0".join(texts)):
            texts = [t.translate(escapes) for t in texts]
        if kinds in ({str}, {decimal.Decimal}):
            return ["\\N" if type(v) in null_types else t for v, t in zip(values, texts)]
        return ["\\N" if is_null(v) else t for v, t in zip(values, texts)]
    if kind == "timestamp":
        return moment_texts(series.to_numpy())
    if kind == "date":
        return moment_texts(series.to_numpy(), "D")
    if kind == "boolean":
        return numbers(series, lambda values: ["1" if v else "0" for v in values.tolist()])
    if kind.startswith("int"):
        return numbers(series, lambda values: map(str, values.tolist()))
    # As lists Python's own floats are quicker, and of 32 bits they would be longer.
    return numbers(series, lambda values: map(float_text, map(str, values if values.dtype == np.float32 else values.tolist())))

def write_frame(frame, inputs, out):
    null_types.update((type(pd.NA), type(pd.NaT)))
    declared = {column["name"]: column for column in inputs}
    columns, series = [], []
    for position, name in enumerate(frame.columns):
        values, common = derive(frame.iloc[:, position])
        known = declared.get(name)
        if known and keeps(known["type"], common, values):
            common = known["type"]
        elif common and common["kind"] == "decimal" and common["scale"] is None:
            common["scale"] = max(map(places, values.to_numpy()), default=0)
        columns.append({"name": name, "type": common or {"kind": "text"}, "nullable": True})
        series.append(values.reset_index(drop=True))
    header = {"columns": columns, "rows": len(frame)}
    out.write(json.dumps(header) + "\n")
    for start in range(0, len(frame), rows_at_once):
        fields = [texts_of(s.iloc[start:start + rows_at_once], c["type"]["kind"]) for s, c in zip(series, columns)]
        out.write("\n".join(map("\t".join, zip(*fields))) + "\n")
`;
