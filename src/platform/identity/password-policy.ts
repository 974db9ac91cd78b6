/** Which passwords are taken. The documents ask for little; `PASSWORD_POLICY=strict` asks for more everywhere. */
import type { Problem } from "../http/failures.ts";

export type PasswordPolicy = "documented" | "strict";

/** Longer ones would cost the server, not the attacker. */
const mostBytes = 1024;
const strictLength = 12;

/** Words that the most common passwords are made of, in Latin and Cyrillic; digits and signs around them do not help. */
const commonWords = new Set(
  `password passwort parol пароль qwerty qwertyuiop qwertyui asdfghjkl zxcvbnm йцукен йцукенгшщзхъ фывапролджэ ячсмитьбю letmein welcome admin administrator
  administrator root login master monkey dragon football baseball superman batman trustno iloveyou ilovemyself sunshine princess shadow michael jennifer
  computer internet samsung google quintet changeme default secret security access starwars pokemon whatever freedom password password passw
  любовь привет админ администратор солнышко наташа марина привет учитель школа поликлиника больница россия москва passwordpassword adminadmin qwertyqwerty
  qazwsxedc qazwsx oneqaz abcdef abcdefgh abcdefghijkl abcabcabc test testtest testing tester user username guest hello helloworld`
    .split(/\s+/)
    .filter((word) => word !== ""),
);

const letterOf: Record<string, string> = {
  "0": "o",
  "1": "l",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "@": "a",
  $: "s",
  "!": "i",
};

/** Whether a password is a common word, dressed up or repeated, a row of neighbouring characters, or the user's own name. */
function isCommon(password: string, username: string): boolean {
  const small = password.toLowerCase();
  const core = small.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, "");
  const letters = core.replace(/[013457@$!]/g, (sign) => letterOf[sign] ?? sign);
  if (commonWords.has(core) || commonWords.has(letters)) return true;
  if (new Set(small).size < 5) return true;
  if (username.length >= 4 && small.includes(username.toLowerCase())) return true;
  const steps = [...small]
    .slice(1)
    .map((character, index) => character.charCodeAt(0) - small.charCodeAt(index));
  return steps.filter((step) => Math.abs(step) <= 1).length >= steps.length * 0.7;
}

function problem(message: string, type: string, context?: Record<string, unknown>): Problem {
  return { path: ["body", "password"], message, type, ...(context ? { context } : {}) };
}

/** What is wrong with a new password, null when nothing is. The problem lies at `body.password`. */
export function passwordProblem(password: string, username: string, policy: PasswordPolicy): Problem | null {
  if (password === "")
    return problem("ensure this value has at least 1 characters", "value_error.any_str.min_length", {
      limit_value: 1,
    });
  if (Buffer.byteLength(password) > mostBytes)
    return problem(
      `ensure this value has at most ${mostBytes} characters`,
      "value_error.any_str.max_length",
      {
        limit_value: mostBytes,
      },
    );
  if (policy === "documented") return null;
  if ([...password].length < strictLength)
    return problem(
      `ensure this value has at least ${strictLength} characters`,
      "value_error.any_str.min_length",
      {
        limit_value: strictLength,
      },
    );
  return isCommon(password, username)
    ? problem("this password is too common", "value_error.password.common")
    : null;
}
