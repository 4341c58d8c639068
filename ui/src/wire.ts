/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call to the REST door. Whatever goes wrong becomes a Failure with a
 * reason: the server's own, or NETWORK when no answer came. The cookie is the
 * credential; the browser sends it, no script sees it.
 */

export interface Failure {
	status: number;
	reason: string;
	message: string;
	metadata: Record<string, string>;
	fields: { field: string; description: string }[];
	retry_ms: number;
	request_id: string;
}

export interface Answer<T> {
	value: T;
	headers: Headers;
}

export class CallError extends Error {
	constructor(readonly failure: Failure) {
		super(failure.message || failure.reason);
	}
}

const CALL_TIMEOUT_MS = 30_000;

/* "12s", "0.250s" -> ms. */
function duration_ms(text: unknown): number {
	const m = /^(\d{1,9}(?:\.\d{1,9})?)s$/.exec(String(text ?? ""));
	return m ? Math.ceil(Number(m[1]) * 1000) : 0;
}

function read_details(f: Failure, details: any[]) {
	for (const d of details) {
		switch (String(d?.["@type"] ?? "").split(".").pop()) {
			case "ErrorInfo":
				f.reason = String(d.reason ?? f.reason);
				f.metadata = d.metadata ?? {};
				break;
			case "BadRequest":
				f.fields = d.fieldViolations ?? d.field_violations ?? [];
				break;
			case "RetryInfo":
				f.retry_ms = duration_ms(d.retryDelay ?? d.retry_delay);
				break;
			case "RequestInfo":
				f.request_id = String(d.requestId ?? d.request_id ?? f.request_id);
				break;
		}
	}
}

async function failure_of(answer: Response): Promise<Failure> {
	const f: Failure = {
		status: answer.status,
		reason: answer.status === 401 ? "TOKEN_INVALID" : "HTTP_" + answer.status,
		message: "",
		metadata: {},
		fields: [],
		retry_ms: 0,
		request_id: answer.headers.get("x-request-id") ?? "",
	};
	try {
		const body = await answer.json();
		f.message = String(body?.message ?? "");
		read_details(f, Array.isArray(body?.details) ? body.details : []);
	} catch {
		/* A proxy's page or no body: the status must do. */
	}
	const after = Number(answer.headers.get("retry-after"));
	if (!f.retry_ms && after > 0) f.retry_ms = after * 1000;
	return f;
}

function lost(): CallError {
	return new CallError({
		status: 0,
		reason: "NETWORK",
		message: "",
		metadata: {},
		fields: [],
		retry_ms: 0,
		request_id: "",
	});
}

export async function call<T>(
	method: string,
	path: string,
	body?: unknown,
	headers: Record<string, string> = {},
): Promise<Answer<T>> {
	let answer: Response;
	let text: string;
	try {
		answer = await fetch(path, {
			method,
			headers:
				body === undefined ? headers : { "content-type": "application/json", ...headers },
			body: body === undefined ? undefined : JSON.stringify(body),
			credentials: "same-origin",
			cache: "no-store",
			redirect: "error",
			signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
		});
		if (!answer.ok) throw new CallError(await failure_of(answer));
		text = await answer.text();
	} catch (e) {
		throw e instanceof CallError ? e : lost();
	}
	return { value: (text ? JSON.parse(text) : undefined) as T, headers: answer.headers };
}

export function failure_from(e: unknown): Failure {
	return (e instanceof CallError ? e : lost()).failure;
}
