/** What the bot understands: subscribing to projects and leaving them, in Russian or English. */
import { eq } from "drizzle-orm";
import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { Failure } from "../../../platform/http/failures.ts";
import type { Projects } from "../projects.ts";
import type { SystemLog } from "../system-log.ts";
import { settings } from "../tables.ts";

const languages = ["ru", "en"] as const;
type Language = (typeof languages)[number];

const texts = {
  ru: {
    added: (name: string) => `Вы подписаны на уведомления проекта «${name}».`,
    already: (name: string) => `Вы уже подписаны на проект «${name}».`,
    removed: (name: string) => `Вы отписаны от проекта «${name}».`,
    notSubscribed: (name: string) => `Вы не подписаны на проект «${name}».`,
    unknown: "Проект не найден.",
    locked: "Слишком много неизвестных проектов. Попробуйте через час.",
    none: "У вас нет подписок.",
    list: (names: string[]) => `Ваши подписки:\n${names.map((name) => `• ${name}`).join("\n")}`,
    info: "Я присылаю уведомления о логах и доступности сервисов.\nADD_<uuid> — подписаться\nDELETE_<uuid> — отписаться\n/subscriptions — подписки\n/language — язык",
    language: "Язык: русский.",
  },
  en: {
    added: (name: string) => `You are subscribed to the project “${name}”.`,
    already: (name: string) => `You are subscribed to the project “${name}” already.`,
    removed: (name: string) => `You are no longer subscribed to the project “${name}”.`,
    notSubscribed: (name: string) => `You are not subscribed to the project “${name}”.`,
    unknown: "There is no such project.",
    locked: "Too many unknown projects. Try again in an hour.",
    none: "You have no subscriptions.",
    list: (names: string[]) => `Your subscriptions:\n${names.map((name) => `• ${name}`).join("\n")}`,
    info: "I tell about logs and about services that are down.\nADD_<uuid> to subscribe\nDELETE_<uuid> to leave\n/subscriptions lists them\n/language changes the language",
    language: "Language: English.",
  },
};

const mostUnknown = 10;
const lockMilliseconds = 3_600_000;

interface Guesses {
  unknown: number;
  lockedUntil: number;
}

export interface BotCommandsOptions {
  orm: PostgresJsDatabase;
  projects: Projects;
  system: SystemLog;
  /** Now, in milliseconds. */
  now: () => number;
}

export class BotCommands {
  private readonly options: BotCommandsOptions;
  private readonly guesses = new Map<string, Guesses>();

  constructor(options: BotCommandsOptions) {
    this.options = options;
  }

  /** The answer to a message; null for what is no command. */
  async reply(chatId: string, message: string): Promise<string | null> {
    const text = message.trim();
    const words = texts[await this.languageOf(chatId)];
    const change = /^(?:\/start\s+)?(ADD|DELETE)_(\S{1,100})$/.exec(text);
    if (change?.[1] && change[2])
      return await this.change(chatId, change[1] as "ADD" | "DELETE", change[2], words);
    const command = /^\/(\w+)/.exec(text)?.[1];
    if (command === "start" || command === "info" || command === "help") return words.info;
    if (command === "subscriptions") return await this.subscriptions(chatId, words);
    if (command === "language") return await this.nextLanguage(chatId);
    return null;
  }

  private async change(
    chatId: string,
    what: "ADD" | "DELETE",
    uuid: string,
    words: (typeof texts)[Language],
  ): Promise<string> {
    if ((this.guesses.get(chatId)?.lockedUntil ?? 0) > this.options.now()) return words.locked;
    const project = await this.options.projects.find(uuid).catch((error: unknown) => {
      if (error instanceof Failure) return null;
      throw error;
    });
    if (!project) return this.guessed(chatId) ? words.locked : words.unknown;
    const { name, telegramNotify } = project;
    const { recipients } = telegramNotify;
    const isSubscribed = recipients.some((recipient) => recipient.chatId === chatId);
    if (what === "ADD" && isSubscribed) return words.already(name);
    if (what === "DELETE" && !isSubscribed) return words.notSubscribed(name);
    const changed =
      what === "ADD"
        ? { ...telegramNotify, enabled: true, recipients: [...recipients, { chatId, tags: [] }] }
        : { ...telegramNotify, recipients: recipients.filter((recipient) => recipient.chatId !== chatId) };
    await this.options.projects.update(uuid, { telegramNotify: changed });
    return what === "ADD" ? words.added(name) : words.removed(name);
  }

  /** Counts an unknown project; answers whether the chat is locked for it. */
  private guessed(chatId: string): boolean {
    const now = this.options.now();
    const known = this.guesses.get(chatId);
    const unknown = (known && known.lockedUntil === 0 ? known.unknown : 0) + 1;
    const isLocked = unknown >= mostUnknown;
    this.guesses.set(chatId, { unknown, lockedUntil: isLocked ? now + lockMilliseconds : 0 });
    if (isLocked)
      this.options.system.note({
        level: "SECURITY",
        kind: "TELEGRAM",
        message: "Чат Telegram заблокирован: слишком много неизвестных проектов",
        details: { chatId },
      });
    return isLocked;
  }

  private async subscriptions(chatId: string, words: (typeof texts)[Language]): Promise<string> {
    const names = (await this.options.projects.list())
      .filter(({ telegramNotify }) =>
        telegramNotify.recipients.some((recipient) => recipient.chatId === chatId),
      )
      .map(({ name }) => name);
    return names.length === 0 ? words.none : words.list(names);
  }

  private async languageOf(chatId: string): Promise<Language> {
    const [row] = await this.options.orm
      .select()
      .from(settings)
      .where(eq(settings.key, languageKey(chatId)));
    return languages.find((language) => language === row?.value) ?? "ru";
  }

  private async nextLanguage(chatId: string): Promise<string> {
    const language = (await this.languageOf(chatId)) === "ru" ? "en" : "ru";
    const row = { key: languageKey(chatId), value: language };
    await this.options.orm
      .insert(settings)
      .values(row)
      .onConflictDoUpdate({ target: settings.key, set: { value: language } });
    return texts[language].language;
  }
}

const languageKey = (chatId: string): string => `telegram-language:${chatId}`;
