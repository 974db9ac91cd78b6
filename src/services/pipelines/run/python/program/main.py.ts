/** Compiles and runs the user's code, and tells what went wrong. */
export const mainPart = String.raw`
place = "<transformation>"
most_message = 2000

class Told(Exception):
    """A failure in our own words."""
    def __init__(self, fault, message):
        super().__init__(message)
        self.fault = fault

def compiled(code):
    """The code, and its last expression where it ends with one."""
    tree = ast.parse(code, place)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body.pop().value), place, "eval")
    return compile(tree, place, "exec"), last, len(tree.body) == 0

def outcome(code, frame, parameters):
    body, last, is_expression = compiled(code)
    names = {"__name__": place, "df": frame, "parameters": parameters, "pd": pd, "np": np}
    exec(body, names)
    if callable(names.get("transform")):
        return names["transform"](frame)
    value = None if last is None else eval(last, names)
    if is_expression and value is not None:
        return value
    if "result" in names:
        return names["result"]
    return value if isinstance(value, (pd.DataFrame, pd.Series)) else names.get("df")

def table_of(value):
    """A frame with a plain index and plain, different names of columns."""
    if isinstance(value, pd.Series):
        value = value.to_frame("result" if value.name is None else value.name)
    if not isinstance(value, pd.DataFrame):
        raise Told("result", "the result must be a DataFrame, and it is " + ("None" if value is None else "of type " + type(value).__name__))
    if isinstance(value.columns, pd.MultiIndex):
        value = value.set_axis(["_".join(str(part) for part in name if part != "") for name in value.columns], axis=1)
    else:
        value = value.set_axis([str(name) for name in value.columns], axis=1)
    keys = [(str(name), value.index.get_level_values(level)) for level, name in enumerate(value.index.names)
        if name is not None and str(name) not in value.columns]
    value = value.reset_index(drop=True)
    for position, (name, level) in enumerate(keys):
        value.insert(position, name, pd.Series(level.array, index=value.index))
    if len(value.columns) == 0:
        raise Told("result", "the result has no columns")
    names = list(value.columns)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Told("result", "the result has two columns with the name " + repr(twice))
    return value

def line_of(error):
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == place:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line

def told(error, is_compiling):
    if isinstance(error, Told):
        return {"fault": error.fault, "message": str(error), "line": None}
    if isinstance(error, MemoryError) and not is_compiling:
        return {"fault": "memory", "message": "", "line": line_of(error)}
    if isinstance(error, OSError) and error.errno == 27:
        return {"fault": "size", "message": "", "line": line_of(error)}
    if isinstance(error, OSError) and error.errno in (28, 122) and line_of(error) is None:
        return {"fault": "disk", "message": "", "line": None}
    if is_compiling or isinstance(error, SyntaxError) and error.filename == place:
        line = getattr(error, "lineno", None)
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        return {"fault": "syntax", "message": type(error).__name__ + ": " + str(message), "line": line}
    try:
        message = str(error)
    except Exception:
        message = ""
    is_fork = isinstance(error, OSError) and error.errno in (1, 11) and error.filename is None
    if is_fork or isinstance(error, RuntimeError) and message == "can't start new thread":
        return {"fault": "processes", "message": "", "line": line_of(error)}
    return {"fault": "exception", "message": type(error).__name__ + (": " + message if message else ""), "line": line_of(error)}

def main():
    global np, pd, first_moment, last_moment
    results = os.dup(1)
    os.dup2(2, 1)
    source = io.TextIOWrapper(os.fdopen(os.dup(0), "rb", 1 << 20), encoding="utf-8", errors="surrogateescape", newline="\n")
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    out = io.TextIOWrapper(os.fdopen(results, "wb", 1 << 20, closefd=False), encoding="utf-8", errors="surrogateescape", newline="\n")
    failure, is_compiling = None, True
    try:
        task = json.loads(source.readline())
        compiled(task["code"])
        is_compiling = False
        if task["only_check"]:
            out.write(json.dumps({"compiled": True}) + "\n")
        else:
            import numpy as np
            import pandas as pd
            first_moment, last_moment = np.datetime64("1677-09-22", "us"), np.datetime64("2262-04-11", "us")
            # Rows have no cycles, and looking for some takes half of the time.
            gc.disable()
            frame = read_frame(task["columns"], source)
            gc.enable()
            value = table_of(outcome(task["code"], frame, task["parameters"]))
            del frame
            gc.disable()
            write_frame(value, task["columns"], out)
        out.flush()
    except BaseException as error:
        failure = told(error, is_compiling)
    if failure is not None:
        failure["message"] = failure["message"][:most_message].encode("utf-8", "replace").decode()
        os.ftruncate(results, 0)
        os.lseek(results, 0, 0)
        os.write(results, (json.dumps({"error": failure}) + "\n").encode())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    # Threads that the code left behind, and buffers of what was cut off, end here.
    os._exit(0)

main()
`;
