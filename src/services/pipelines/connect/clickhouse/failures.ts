/** ClickHouse's exceptions as `ConnectorError`s. */
import { ConnectorError } from "../connector.ts";

/** UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, IP_ADDRESS_NOT_ALLOWED, AUTHENTICATION_FAILED. */
const authentication = new Set([192, 193, 194, 195, 516]);
/** UNKNOWN_TABLE, UNKNOWN_DATABASE. */
const notFound = new Set([60, 81]);

const mostShown = 400;

/** How an exception is written: `Code: 60, e.displayText() = DB::Exception: … , e.what() = …` of old servers, `Code: 60. DB::Exception: … (UNKNOWN_TABLE)` of new ones. */
export const exceptionText = /Code: (\d+)(?:, e\.displayText\(\) =|\.) DB::(?:\w+)?Exception: /;

/** The exception in words that may be shown: the first line only, for the others quote rows; names of users never. */
export function failureOf(text: string): ConnectorError {
  const match = exceptionText.exec(text);
  if (!match)
    return new ConnectorError("refused", "ClickHouse answered with a failure that it did not explain");
  const code = Number(match[1]);
  if (authentication.has(code))
    return new ConnectorError("authentication", "ClickHouse refused the user name or the password");
  const [line = ""] = text.slice(match.index + match[0].length).split("\n");
  const message = line.replace(/, e\.what\(\).*| \(version [^)]*\).*/, "").slice(0, mostShown);
  return new ConnectorError(
    notFound.has(code) ? "notFound" : "refused",
    `ClickHouse: ${message} (code ${code})`,
  );
}
