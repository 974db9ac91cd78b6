/** What is wrong with a pipeline or its parameters: trying again would not help. */
export class NotRunnable extends Error {
  override readonly name: string = "NotRunnable";
}
