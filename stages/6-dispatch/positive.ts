/** 0 stands for no limit, as in the Gateway API. */
export const positive = (millis: number | undefined): number | undefined =>
  millis === undefined || millis <= 0 ? undefined : millis
