/** What `specs/messenger.md` says, for tests to compare answers with; and its samples, which tests run. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Example } from "./contract.ts";

export const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{3})?Z$/);
export const token = expect.stringMatching(/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/);

/** Chapter 10: HTTP status, message, description. */
const errors = {
  AUTH_001: [401, "Неверные учетные данные", "Неверный логин или пароль"],
  AUTH_002: [401, "Токен истек", "JWT токен просрочен"],
  AUTH_003: [401, "Недействительный токен", "Токен невалиден"],
  AUTH_004: [403, "Доступ запрещен", "Недостаточно прав"],
  VAL_001: [400, "Неверные данные запроса", "Ошибка валидации"],
  USER_001: [404, "Пользователь не найден", "Пользователь с таким ID не существует"],
  USER_002: [409, "Имя пользователя занято", "Пользователь с таким username уже существует"],
  USER_003: [400, "Неверный формат пароля", "Пароль не соответствует требованиям"],
  MSG_001: [404, "Сообщение не найдено", "Сообщение с таким ID не существует"],
  MSG_002: [404, "Получатель не найден", "Пользователь-получатель не существует"],
  MSG_003: [403, "Невозможно удалить чужое сообщение", "Попытка удалить сообщение другого пользователя"],
  MSG_004: [413, "Превышен размер файла", "Размер файла превышает 5 МБ"],
} as const;

type Expected = Required<Pick<Example, "status" | "answer">>;

const answer = (code: unknown, message: unknown, details: unknown) => ({
  success: false,
  error: { code, message, details },
  timestamp: time,
});

/** The answer of a failure; `details` where they say more than chapter 10 does. */
export function refused(code: keyof typeof errors, details: unknown = errors[code][2]): Expected {
  const [status, message] = errors[code];
  return { status, answer: answer(code, message, details) };
}

/** The answer of a failure that chapter 10 does not know, in its envelope and in Russian. */
export function refusedOtherwise(status: number): Expected {
  const russian = expect.stringMatching(/[а-яё]/i);
  return { status, answer: answer(expect.stringMatching(/^[A-Z_]+$/), russian, russian) };
}

/** The header of somebody whose token is known only when the request is sent. */
export const bearer = (who: () => { token: string }) => ({
  get Authorization() {
    return `Bearer ${who().token}`;
  },
});

const samples = readFileSync(join(import.meta.dir, "../messenger/samples.md"), "utf8");
const specification = join(import.meta.dir, "../../../shared/specs/messenger.md");

/** The document itself; null in a checkout without it. */
export const document = existsSync(specification) ? readFileSync(specification, "utf8") : null;

/** The code below the heading of a section, for example `11.1`. */
export function codeOf(section: string, text = samples): string {
  const [, rest] = text.split(`\n### ${section}. `);
  const code = /\n```\w+\n(.*?)\n```\n/s.exec(rest ?? "")?.[1];
  if (code === undefined) throw new Error(`there is no code in ${section}`);
  return code;
}
