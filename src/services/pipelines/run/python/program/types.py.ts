/** The types of a data frame's columns: by their values, or as they were declared where the values still fit. */
export const typesPart = String.raw`
def type_of_objects(values):
    """The type that values of an object column have in common; None when all are NULL."""
    kinds = set()
    for t in set(map(type, values)):
        if t in null_types:
            continue
        if issubclass(t, (bool, np.bool_)): kinds.add("boolean")
        elif issubclass(t, (int, np.integer)): kinds.add("int64")
        elif issubclass(t, (float, np.floating)): kinds.add("float64")
        elif issubclass(t, decimal.Decimal): kinds.add("decimal")
        elif issubclass(t, (datetime.datetime, np.datetime64)): kinds.add("timestamp")
        elif issubclass(t, datetime.date): kinds.add("date")
        elif issubclass(t, datetime.time): kinds.add("time")
        elif issubclass(t, (bytes, bytearray, memoryview)): kinds.add("bytes")
        elif issubclass(t, (list, tuple, set, frozenset, dict, np.ndarray)): kinds.add("json")
        elif t.__name__ == "UUID": kinds.add("uuid")
        else: kinds.add("text")
    if "float64" in kinds and all(is_null(v) for v in values if isinstance(v, (float, np.floating))):
        kinds.discard("float64")
    if not kinds:
        return None
    if kinds == {"int64"} and any(not -2**63 <= v < 2**63 for v in values if not is_null(v)):
        kinds = {"decimal"}
    if kinds <= {"int64", "decimal"}:
        kind = "decimal" if "decimal" in kinds else "int64"
    elif kinds <= {"int64", "float64"}:
        kind = "float64"
    else:
        kind = kinds.pop() if len(kinds) == 1 else "text"
    if kind == "decimal":
        return {"kind": kind, "precision": None, "scale": None}
    if kind == "timestamp":
        zoned = {getattr(v, "tzinfo", None) is not None for v in values if not is_null(v)}
        return {"kind": kind, "zoned": zoned.pop()} if len(zoned) == 1 else {"kind": "text"}
    return {"kind": kind}

patterns = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"),
    "time": re.compile(r"\d\d:\d\d:\d\d(\.\d+)?"),
    "date": re.compile(r"-?infinity|\d{4,}-\d\d-\d\d( BC)?"),
    "timestamp": re.compile(r"-?infinity|\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( BC)?"),
}

def is_json(text):
    try:
        json.loads(text)
        return True
    except ValueError:
        return False

def places(v):
    return -v.as_tuple().exponent if isinstance(v, decimal.Decimal) and v.is_finite() else 0

def fits(declared, values):
    scale, digits = declared["scale"], declared["precision"] - declared["scale"]
    same = decimal.Decimal(1).scaleb(-scale)
    def one(v):
        if not isinstance(v, decimal.Decimal):
            return is_null(v)
        usual = v.same_quantum(same) or v.is_nan() or v.is_finite() and places(v) <= scale
        return usual and (v.is_zero() or v.adjusted() < digits)
    return all(map(one, values))

def keeps(declared, derived, series):
    """Whether a column that has an input column's name still holds what that column was declared to hold."""
    kind = declared["kind"]
    if derived is None or derived == declared:
        return True
    known = series[series.notna()]
    if derived["kind"] == "int64" and kind in ("int16", "int32"):
        most = 2 ** (15 if kind == "int16" else 31)
        return bool(((known >= -most) & (known < most)).all())
    if derived["kind"] == "float64" and kind == "float32":
        values = known.to_numpy(dtype=float)
        with np.errstate(over="ignore"):
            return all(float_text(str(a)) == float_text(str(b)) for a, b in zip(values, values.astype(np.float32)))
    if derived["kind"] == "timestamp" and kind == "date" and series.dtype != object:
        return not derived["zoned"] and bool((known == known.dt.normalize()).all())
    if derived["kind"] == "decimal" and kind == "decimal":
        return declared["precision"] is None or fits(declared, series.to_numpy())
    if derived["kind"] == "json" and kind == "array":
        return all(isinstance(v, list) for v in series.to_numpy() if not is_null(v))
    if derived["kind"] == "text" and kind == "json":
        return all(isinstance(v, str) and is_json(v) for v in series.to_numpy() if not is_null(v))
    if derived["kind"] == "text" and kind in patterns:
        return all(patterns[kind].fullmatch(object_text(v)) for v in series.to_numpy() if not is_null(v))
    return False

def derive(series):
    """A series in a form that can be written, and its type; None when it holds nothing but NULL."""
    dtype = series.dtype
    api = pd.api.types
    if isinstance(dtype, pd.DatetimeTZDtype):
        return series.dt.tz_convert("UTC").dt.tz_localize(None), {"kind": "timestamp", "zoned": True}
    if api.is_bool_dtype(dtype) and dtype != object:
        return series, {"kind": "boolean"}
    if api.is_integer_dtype(dtype):
        if str(dtype).lower() == "uint64" and (series.fillna(0).astype("uint64") >= 2**63).any():
            return series.astype(object), {"kind": "decimal", "precision": 20, "scale": 0}
        size = 2 * dtype.itemsize if str(dtype).lower().startswith("uint") else dtype.itemsize
        return series, {"kind": "int16" if size <= 2 else "int32" if size <= 4 else "int64"}
    if api.is_float_dtype(dtype):
        return series, {"kind": "float32" if dtype.itemsize <= 4 else "float64"}
    if api.is_datetime64_dtype(dtype):
        return series, {"kind": "timestamp", "zoned": False}
    values = np.empty(len(series), dtype=object)
    values[:] = series.to_numpy() if dtype == object else list(series)
    series = pd.Series(values, dtype=object)
    return series, type_of_objects(values)
`;
