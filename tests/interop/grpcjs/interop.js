// SPDX-License-Identifier: Apache-2.0
// node interop.js TARGET CERT|- LONG: the cases of gRPC's interop test description by grpc-js; one
// line "ok CASE" or "FAIL CASE: why" each. CERT "-" is clear text, LONG 1 makes the soaks long.
"use strict";
const assert = require("assert");
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [target, cert, long] = process.argv.slice(2);
const { TestService, UnimplementedService } = grpc.loadPackageDefinition(loader.loadSync(
	"grpc/testing/test.proto", { includeDirs: ["/usr/share/grpc-proto"], keepCase: true, defaults: true })).grpc.testing;

const REQUEST = 271828, ANSWER = 314159;
const SIZES = [31415, 9, 2653, 58979], PAYLOADS = [27182, 8, 1828, 45904];
const GZIP = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };
const NO_COMPRESS = 2; // of a message: stays as it is on a channel that compresses
const { status } = grpc;

function connect(Service = TestService, options = {}) {
	const credentials = cert === "-" ? grpc.credentials.createInsecure() :
		grpc.credentials.createSsl(fs.readFileSync(cert));
	return new Service(target, credentials, { ...options, "grpc.use_local_subchannel_pool": 1 });
}

const plain = connect(), zipped = connect(TestService, GZIP);
const payload = (n) => ({ body: Buffer.alloc(n) });
const simple = (more = {}) => ({ response_size: ANSWER, payload: payload(REQUEST), ...more });
const output = (sizes, n, more = {}) => ({
	response_parameters: sizes.map((size) => ({ size })), payload: n ? payload(n) : null, ...more });
const soon = () => ({ deadline: Date.now() + 20000 });

function unary(method, message, { client = plain, metadata = new grpc.Metadata(), ...options } = {}) {
	return new Promise((resolve) => {
		const got = {};
		const call = client[method](message, metadata, { ...soon(), ...options }, (error, answer) =>
			setImmediate(() => resolve({ ...got, error, answer })));
		call.on("metadata", (m) => { got.first = m; });
		call.on("status", (s) => { got.status = s; });
	});
}

// A stream of answers read to its end.
function collect(call, each = () => {}) {
	return new Promise((resolve) => {
		const got = { sizes: [] };
		call.on("metadata", (m) => { got.first = m; });
		call.on("data", (m) => {
			got.sizes.push(m.payload.body.length);
			each(m);
		});
		call.on("status", (s) => { got.status = s; setImmediate(() => resolve(got)); });
		call.on("error", (e) => { got.error = e; });
	});
}

async function large(client = plain) {
	const r = await unary("UnaryCall", simple(), { client });
	assert(r.answer?.payload.body.equals(Buffer.alloc(ANSWER)), r.error?.message);
}

async function endsWith(code, message) {
	const wanted = { response_status: { code, message } };
	const r = await unary("UnaryCall", wanted);
	assert.deepStrictEqual([r.error?.code, r.error?.details], [code, message]);
	const both = plain.FullDuplexCall(soon());
	const got = collect(both);
	both.write(wanted);
	both.end();
	const { error } = await got;
	assert.deepStrictEqual([error?.code, error?.details], [code, message]);
}

// messages: [{request, flags}]
function input(client, messages) {
	return new Promise((resolve) => {
		const call = client.StreamingInputCall(soon(), (error, answer) => resolve({ error, answer }));
		call.on("error", () => {});
		for (const { request, flags } of messages)
			call.write(request, flags);
		call.end();
	});
}

const expected = (value) => ({ expect_compressed: { value } });

const cases = {
	async empty_unary() {
		const r = await unary("EmptyCall", {});
		assert.deepStrictEqual(r.answer, {}, r.error?.message);
	},
	async cacheable_unary() {
		const a = await unary("CacheableUnaryCall", {}), b = await unary("CacheableUnaryCall", {});
		assert(BigInt(a.answer.payload.body.toString()) < BigInt(b.answer.payload.body.toString()));
		assert.deepStrictEqual(a.first.get("cache-control"), ["max-age=60, public"]);
	},
	async large_unary() {
		await large();
	},
	async client_compressed_unary() {
		let r = await unary("UnaryCall", simple(expected(true)));
		assert.strictEqual(r.error?.code, status.INVALID_ARGUMENT);
		r = await unary("UnaryCall", simple(expected(true)), { client: zipped });
		assert.strictEqual(r.answer?.payload.body.length, ANSWER, r.error?.message);
		r = await unary("UnaryCall", simple(expected(false)));
		assert.strictEqual(r.answer?.payload.body.length, ANSWER, r.error?.message);
	},
	async server_compressed_unary() {
		for (const value of [true, false]) {
			const r = await unary("UnaryCall", simple({ response_compressed: { value } }));
			assert.strictEqual(r.answer?.payload.body.length, ANSWER, r.error?.message);
		}
	},
	async client_streaming() {
		const r = await input(plain, PAYLOADS.map((n) => ({ request: { payload: payload(n) } })));
		assert.strictEqual(r.answer?.aggregated_payload_size, 74922, r.error?.message);
	},
	async client_compressed_streaming() {
		const first = { payload: payload(27182), ...expected(true) };
		let r = await input(plain, [{ request: first }]);
		assert.strictEqual(r.error?.code, status.INVALID_ARGUMENT);
		r = await input(zipped, [{ request: first },
			{ request: { payload: payload(45904), ...expected(false) }, flags: NO_COMPRESS }]);
		assert.strictEqual(r.answer?.aggregated_payload_size, 73086, r.error?.message);
	},
	async server_streaming() {
		const r = await collect(plain.StreamingOutputCall(output(SIZES), soon()));
		assert.deepStrictEqual(r.sizes, SIZES, r.error?.message);
	},
	async server_compressed_streaming() {
		const r = await collect(plain.StreamingOutputCall({ response_parameters: [
			{ size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } }] }, soon()));
		assert.deepStrictEqual(r.sizes, [31415, 92653], r.error?.message);
	},
	async ping_pong() {
		const both = plain.FullDuplexCall(soon());
		let at = 0;
		const send = () => at < SIZES.length ? both.write(output([SIZES[at]], PAYLOADS[at])) : both.end();
		const got = collect(both, () => {
			at++;
			send();
		});
		send();
		assert.deepStrictEqual((await got).sizes, SIZES);
		assert.strictEqual((await got).status.code, status.OK);
	},
	async empty_stream() {
		const both = plain.FullDuplexCall(soon());
		const got = collect(both);
		both.end();
		assert.deepStrictEqual((await got).sizes, []);
		assert.strictEqual((await got).status.code, status.OK);
	},
	async custom_metadata() {
		const metadata = new grpc.Metadata(), bytes = Buffer.from([0xab, 0xab, 0xab]);
		metadata.set("x-grpc-test-echo-initial", "test_initial_metadata_value");
		metadata.set("x-grpc-test-echo-trailing-bin", bytes);
		const both = plain.FullDuplexCall(metadata, soon());
		const got = collect(both);
		both.write(output([ANSWER], REQUEST));
		both.end();
		for (const r of [await unary("UnaryCall", simple(), { metadata }), await got]) {
			assert.deepStrictEqual(r.first?.get("x-grpc-test-echo-initial"), ["test_initial_metadata_value"]);
			assert(r.status.metadata.get("x-grpc-test-echo-trailing-bin")[0]?.equals(bytes));
		}
	},
	async status_code_and_message() {
		await endsWith(2, "test status message");
		for (let code = 1; code <= 16; code++)
			await endsWith(code, `code ${code}`);
	},
	async special_status_message() {
		await endsWith(2, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n");
	},
	async unimplemented_method() {
		assert.strictEqual((await unary("UnimplementedCall", {})).error?.code, status.UNIMPLEMENTED);
	},
	async unimplemented_service() {
		const client = connect(UnimplementedService);
		assert.strictEqual((await unary("UnimplementedCall", {}, { client })).error?.code, status.UNIMPLEMENTED);
		client.close();
	},
	async cancel_after_begin() {
		const error = await new Promise((resolve) => {
			const call = plain.StreamingInputCall(soon(), (e) => resolve(e));
			call.cancel();
		});
		assert.strictEqual(error?.code, status.CANCELLED);
	},
	async cancel_after_first_response() {
		const both = plain.FullDuplexCall(soon());
		const got = collect(both, () => both.cancel());
		both.write(output([31415], 27182));
		const r = await got;
		assert.deepStrictEqual([r.sizes, r.status.code], [[31415], status.CANCELLED]);
	},
	async timeout_on_sleeping_server() {
		for (const [ms, request] of [[1, output([], 27182)],
			[200, { response_parameters: [{ size: 9, interval_us: 5000000 }] }]]) {
			const both = plain.FullDuplexCall({ deadline: Date.now() + ms });
			const got = collect(both);
			both.write(request);
			assert.strictEqual((await got).status.code, status.DEADLINE_EXCEEDED);
		}
	},
	async rpc_soak() {
		for (let i = 0; i < (long === "1" ? 1000 : 30); i++)
			await large();
	},
	async channel_soak() {
		for (let i = 0; i < (long === "1" ? 100 : 5); i++) {
			const client = connect();
			await large(client);
			client.close();
		}
	},
};

async function main() {
	for (const [name, run] of Object.entries(cases)) {
		try {
			await run();
			console.log(`ok ${name}`);
		} catch (e) {
			console.log(`FAIL ${name}: ${String(e.message).split("\n").join(" ").slice(0, 300)}`);
		}
	}
	// grpc-js keeps the deadline of a call that was cancelled before it began.
	process.exit(0);
}

main();
