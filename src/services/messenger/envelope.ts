/** Failures in the words of the document's chapter 10. */
import { successEnvelope, type Words } from "../../platform/http/envelopes.ts";
import { Failure, type FailureKind, type Problem } from "../../platform/http/failures.ts";

const table = {
  AUTH_001: ["unauthenticated", "Неверные учетные данные", "Неверный логин или пароль"],
  AUTH_002: ["unauthenticated", "Токен истек", "JWT токен просрочен"],
  AUTH_003: ["unauthenticated", "Недействительный токен", "Токен невалиден"],
  AUTH_004: ["forbidden", "Доступ запрещен", "Недостаточно прав"],
  VAL_001: ["invalid", "Неверные данные запроса", "Ошибка валидации"],
  USER_001: ["notFound", "Пользователь не найден", "Пользователь с таким ID не существует"],
  USER_002: ["conflict", "Имя пользователя занято", "Пользователь с таким username уже существует"],
  USER_003: ["invalid", "Неверный формат пароля", "Пароль не соответствует требованиям"],
  MSG_001: ["notFound", "Сообщение не найдено", "Сообщение с таким ID не существует"],
  MSG_002: ["notFound", "Получатель не найден", "Пользователь-получатель не существует"],
  MSG_003: [
    "forbidden",
    "Невозможно удалить чужое сообщение",
    "Попытка удалить сообщение другого пользователя",
  ],
  MSG_004: ["tooLarge", "Превышен размер файла", "Размер файла превышает 5 МБ"],
} as const satisfies Record<string, readonly [FailureKind, string, string]>;

export type Code = keyof typeof table;

/** The failure that the document calls `code`; `details` says more than the table does. */
export function failure(code: Code, details?: string): Failure {
  const [kind, message, usual] = table[code];
  return new Failure(kind, message, { code, details: { text: details ?? usual } });
}

/** A failure of one field of the input. */
export const fieldFailure = (field: string, message: string): Failure =>
  failure("VAL_001", `${field}: ${message}`);

const texts: Record<string, (limit: unknown) => string> = {
  "value_error.missing": () => "обязательное поле",
  "type_error.none.not_allowed": () => "не может быть null",
  "type_error.str": () => "ожидается строка",
  "type_error.integer": () => "ожидается целое число",
  "type_error.float": () => "ожидается число",
  "type_error.bool": () => "ожидается true или false",
  "type_error.dict": () => "ожидается объект JSON",
  "value_error.any_str.min_length": (limit) => `не короче ${limit} символов`,
  "value_error.any_str.max_length": (limit) => `не длиннее ${limit} символов`,
  "value_error.number.not_ge": (limit) => `не меньше ${limit}`,
  "value_error.number.not_le": (limit) => `не больше ${limit}`,
  "value_error.jsondecode": () => "некорректный JSON",
};

function textOf({ path, message, type, context }: Problem): string {
  const field = path.slice(1).join(".") || String(path[0] ?? "body");
  const permitted = Array.isArray(context?.enum_values) ? context.enum_values.join(", ") : null;
  if (permitted !== null) return `${field}: допустимые значения: ${permitted}`;
  return `${field}: ${texts[type]?.(context?.limit_value) ?? message}`;
}

/** What the platform calls by other names. */
const platformCodes: Record<string, Code> = {
  INVALID_TOKEN: "AUTH_003",
  TOKEN_EXPIRED: "AUTH_002",
  AUTH_FAILED: "AUTH_001",
};

const ownWords: Partial<Record<FailureKind, Words>> = {
  notFound: { code: "NOT_FOUND", message: "Не найдено", details: "Такого адреса нет" },
  methodNotAllowed: {
    code: "METHOD_NOT_ALLOWED",
    message: "Метод не поддерживается",
    details: "См. заголовок Allow",
  },
  upgradeRequired: {
    code: "UPGRADE_REQUIRED",
    message: "Требуется WebSocket",
    details: "Подключитесь по протоколу WebSocket",
  },
  tooMany: {
    code: "TOO_MANY_ATTEMPTS",
    message: "Слишком много попыток входа",
    details: "Повторите позже: см. заголовок Retry-After",
  },
  unavailable: {
    code: "SERVICE_UNAVAILABLE",
    message: "Сервис временно недоступен",
    details: "Повторите позже: см. заголовок Retry-After",
  },
  unexpected: {
    code: "INTERNAL_ERROR",
    message: "Внутренняя ошибка сервера",
    details: "Ошибка записана в журнал сервера",
  },
};

const wordsOfCode = (code: Code): Words => ({ code, message: table[code][1], details: table[code][2] });

function wordsOf({ kind, message, options }: Failure): Words | null {
  const { code, problems = [], details } = options;
  if (code !== undefined && code in table)
    return { code, message, details: String(details?.text ?? message) };
  if (code !== undefined && code in platformCodes) return wordsOfCode(platformCodes[code] ?? "AUTH_003");
  if (kind === "unprocessable" || kind === "invalid") {
    const text = problems.length > 0 ? problems.map(textOf).join("; ") : message;
    return { ...wordsOfCode("VAL_001"), details: text };
  }
  if (kind === "tooLarge") return wordsOfCode("MSG_004");
  if (kind === "unauthenticated") return wordsOfCode("AUTH_003");
  if (kind === "forbidden") return wordsOfCode("AUTH_004");
  return ownWords[kind] ?? null;
}

/** The service's envelope. `now` in milliseconds. */
export const envelopeAt = (now: () => number) => successEnvelope(() => new Date(now()), wordsOf);

/** What the accounts refuse, in this document's words. */
export function accountFailure(error: unknown): unknown {
  if (!(error instanceof Failure) || error.options.code !== undefined) return error;
  if (error.kind === "notFound") return failure("USER_001");
  if (error.kind === "conflict")
    return error.options.details?.field === "username"
      ? failure("USER_002")
      : new Failure("conflict", "Невозможно", { code: "USER_002", details: { text: error.message } });
  if (error.kind === "unprocessable")
    return failure("USER_003", error.options.problems?.map(textOf).join("; "));
  return error;
}

/** A password that the document refuses: 8 characters or more, letters and digits among them. */
export function requirePassword(password: string): void {
  if ([...password].length < 8 || !/\p{L}/u.test(password) || !/\d/.test(password))
    throw failure("USER_003", "Пароль: не короче 8 символов, буквы и цифры");
}
