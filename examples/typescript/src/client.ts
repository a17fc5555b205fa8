// Everything a front end needs to talk to the server, free of Node: copy it.
// The types come from api.d.ts, which `npm run generate` makes.
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
export type Fault = Schemas["ValidationFault"];

/** An answer that is no success. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    /** What went wrong, in English words. */
    message: string,
    /** Every fault of the request; only a 422 has some. */
    readonly faults: Fault[],
    /** Seconds to wait before the next try; only some answers have it. */
    readonly retryAfter: number | undefined,
    /** Finds the request in the server's log. */
    readonly requestId: string,
  ) {
    super(message);
  }
}

/** A refusal of an account operation. Its message is for the person, in their language. */
export class Refusal extends Error {
  constructor(
    message: string,
    /** Seconds to wait before the next try, if there were too many. */
    readonly retryAfter: number | undefined,
  ) {
    super(message);
  }
}

function secondsToWait(response: Response): number | undefined {
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  return Number.isNaN(seconds) ? undefined : seconds;
}

/** A client of the server at this address, which may have a path. */
export function connect(url: string, accessToken?: string): Client<paths> {
  return createClient<paths>({
    baseUrl: url,
    ...(accessToken && { headers: { Authorization: `Bearer ${accessToken}` } }),
  });
}

/** Gives what a call is answered with, or throws an ApiError. */
export async function answer<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  // A proxy in front may answer with something else than the server's JSON.
  const body = error as Partial<Schemas["APIErrorMessage"] | Schemas["APIValidationErrorMessage"]> | undefined;
  const detail = body?.detail;
  const message = detail && "error" in detail ? detail.error : (body?.message ?? `HTTP Error ${response.status}`);
  const faults = detail && "errors" in detail ? detail.errors : [];
  throw new ApiError(
    response.status,
    message,
    faults,
    secondsToWait(response),
    response.headers.get("X-Request-ID") ?? "",
  );
}

/** As answer, for account operations: they are answered with status 200 even
 * when they refuse, and auth_code tells. Throws a Refusal then. */
export async function outcome<T extends { auth_code: number; auth_msg: string }>(
  call: Parameters<typeof answer<T>>[0],
): Promise<T> {
  const result = await answer<T>(call);
  if (result.auth_code !== 200) throw new Refusal(result.auth_msg, secondsToWait((await call).response));
  return result;
}

/** Tries again after too many tries (a 429, or a refusal with a time to wait),
 * when the server says so. Nothing has happened then: any call may be made again. */
export async function patiently<T>(call: () => Promise<T>, tries = 3): Promise<T> {
  for (let left = tries - 1; ; left--) {
    try {
      return await call();
    } catch (error) {
      const wait = error instanceof Refusal || (error instanceof ApiError && error.status === 429) ? error.retryAfter : undefined;
      if (wait === undefined || left <= 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
    }
  }
}
