/** The Telegram bot: sends alerts, and lets people subscribe by messages to it. Its token is in no log, answer or error. */
import { Bot, GrammyError } from "grammy";
import { together } from "./notice.ts";
import type { Delivery, Send } from "./outbox.ts";

export interface TelegramSettings {
  /** Null: there is no bot. */
  token: string | null;
  /** Public link of the bot, when the settings name it. */
  url: string | null;
  /** Another Bot API server. */
  apiRoot: string | null;
}

/** Where the bot's link comes from, as the document words it. */
export type LinkSource = "env" | "telegram" | "inactive" | "unknown";

const requestSeconds = 10;
/** Telegram's limit on a text, counted after its marks are gone. */
const longestText = 4096;
const retrySeconds = 30_000;

const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** What became of a message that was refused. grammY's own network errors name the address, and so the token: their text is never used. */
function deliveryOf(error: unknown): Delivery {
  if (!(error instanceof GrammyError)) return { kind: "retry", reason: "Telegram не отвечает" };
  const { error_code: code, description, parameters } = error;
  if (code === 429)
    return { kind: "retry", reason: "429", afterSeconds: Math.min(parameters.retry_after ?? 5, 3600) };
  return { kind: code === 400 || code === 403 ? "refused" : "retry", reason: `${code} ${description}` };
}

export class Telegram {
  private readonly settings: TelegramSettings;
  private readonly bot: Bot | null;
  private username: string | null = null;
  private isPolling = false;
  private askedAt = Number.NEGATIVE_INFINITY;

  constructor(settings: TelegramSettings) {
    this.settings = settings;
    const { token, apiRoot } = settings;
    const client = { timeoutSeconds: requestSeconds, ...(apiRoot === null ? {} : { apiRoot }) };
    this.bot = token === null ? null : new Bot(token, { client });
  }

  get isConfigured(): boolean {
    return this.bot !== null;
  }

  /** Link to the bot as far as it is known already. */
  get link(): string | null {
    if (this.settings.url !== null) return this.settings.url;
    return this.username === null ? null : `https://t.me/${this.username}`;
  }

  /** Whether the bot can be reached now; asked of Telegram at most every half a minute once it was. */
  async isReachable(): Promise<boolean> {
    if (!this.bot) return false;
    if (this.username !== null && performance.now() - this.askedAt < retrySeconds) return true;
    try {
      this.username = (await this.bot.api.getMe()).username;
      this.askedAt = performance.now();
      return true;
    } catch {
      return false;
    }
  }

  /** `GET /telegram-status`. `isLeading`: whether some instance polls. */
  async status(): Promise<{ tokenProvided: boolean; botStarted: boolean }> {
    return { tokenProvided: this.isConfigured, botStarted: this.isPolling || (await this.isReachable()) };
  }

  /** `GET /telegram-url`. */
  async publicLink(): Promise<{ url: string | null; source: LinkSource; botActive: boolean }> {
    const botActive = await this.isReachable();
    if (this.settings.url !== null) return { url: this.settings.url, source: "env", botActive };
    if (!this.bot) return { url: null, source: "inactive", botActive };
    return { url: this.link, source: this.link === null ? "unknown" : "telegram", botActive };
  }

  /** Sends to a chat. Null without a bot. */
  get send(): Send | null {
    const { bot } = this;
    if (!bot) return null;
    return async (chatId, notices) => {
      try {
        // Cut first and escaped then: half a mark would make Telegram refuse the whole.
        await bot.api.sendMessage(chatId, escapeHtml(together(notices, longestText)), { parse_mode: "HTML" });
        return { kind: "delivered" };
      } catch (error) {
        return deliveryOf(error);
      }
    };
  }

  /** Polls for messages and answers each with what `reply` makes of it, until the answered function is called. */
  poll(reply: (chatId: string, text: string) => Promise<string | null>): () => Promise<void> {
    const { bot } = this;
    if (!bot) return async () => {};
    let isOver = false;
    const listening = new Bot(bot.token, {
      client: {
        ...(this.settings.apiRoot === null ? {} : { apiRoot: this.settings.apiRoot }),
        timeoutSeconds: 60,
      },
    });
    listening.on("message:text", async (context) => {
      const answer = await reply(String(context.chat.id), context.message.text);
      if (answer !== null) await context.reply(answer);
    });
    listening.catch(() => {});
    const run = async () => {
      while (!isOver) {
        try {
          await listening.start({
            timeout: 25,
            onStart: ({ username }) => {
              this.username = username;
              this.isPolling = true;
            },
          });
        } catch {
          // Told by the status: why is not, because the error may name the token.
        }
        this.isPolling = false;
        if (!isOver) await Bun.sleep(5_000);
      }
    };
    void run();
    return async () => {
      isOver = true;
      this.isPolling = false;
      if (listening.isRunning()) await listening.stop().catch(() => {});
    };
  }
}
