/** Why a probe has no answer, in words for the operator. */

/** A failure whose message may be shown: no stack, nothing of the URL but an address. */
export class ProbeFailure extends Error {
  readonly isNetworkError: boolean;

  constructor(message: string, isNetworkError: boolean) {
    super(message);
    this.isNetworkError = isNetworkError;
  }
}

const dnsTexts = new Map([
  ["ENOTFOUND", "имя не найдено"],
  ["ENODATA", "у имени нет адреса"],
  ["EAI_AGAIN", "сервер имён не отвечает"],
  ["ETIMEOUT", "сервер имён не отвечает"],
]);

const tlsTexts = new Map([
  ["CERT_HAS_EXPIRED", "срок сертификата истёк"],
  ["CERT_NOT_YET_VALID", "срок сертификата ещё не начался"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "самоподписанный сертификат"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "самоподписанный сертификат в цепочке"],
  ["UNABLE_TO_GET_ISSUER_CERT", "издатель сертификата неизвестен"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "издатель сертификата неизвестен"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "издатель сертификата неизвестен"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "сертификат выдан другому имени"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "узел отвечает не по TLS"],
]);

const networkTexts = new Map([
  ["ECONNREFUSED", "Соединение отклонено"],
  ["ECONNRESET", "Соединение разорвано"],
  ["EPIPE", "Соединение разорвано"],
  ["ERR_SOCKET_CLOSED", "Соединение разорвано"],
  ["ETIMEDOUT", "Узел не отвечает"],
  ["EHOSTUNREACH", "Узел недоступен"],
  ["ENETUNREACH", "Сеть недоступна"],
]);

/** The codes of OpenSSL's certificate checks have no prefix in common. */
const tlsCode = /^(ERR_TLS|ERR_SSL|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_|HOSTNAME_|EPROTO)/;

/** The failure of looking a name up. */
export function dnsFailure(code = "EUNKNOWN"): ProbeFailure {
  return new ProbeFailure(`DNS: ${dnsTexts.get(code) ?? "имя не разрешается"} (${code})`, true);
}

/** The failure of connecting to an address the policy denies. */
export const deniedFailure = (address: string): ProbeFailure =>
  new ProbeFailure(`Адрес запрещён: ${address}`, false);

/** What a socket or the HTTP parser threw, by its code alone: their messages may quote the request. */
export function networkFailure(error: unknown): ProbeFailure {
  if (error instanceof ProbeFailure) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "EUNKNOWN";
  const tls = tlsTexts.get(code) ?? (tlsCode.test(code) ? "защищённое соединение не установлено" : null);
  const plain = code.startsWith("HPE_") ? "Ответ не по HTTP" : (networkTexts.get(code) ?? "Сетевая ошибка");
  return new ProbeFailure(`${tls === null ? plain : `TLS: ${tls}`} (${code})`, true);
}
