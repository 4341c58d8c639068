/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draws the server's QR code. The answer's SVG text is never parsed as markup:
 * a strict grammar takes its size and its one path of numbers out, and the
 * picture is built from those. Whole pixels of the screen a module, 4 CSS pixels
 * or more where they fit, and a quiet zone of 4 modules whether the server's has
 * one or not; white in dark mode too.
 */
import { signal } from "@preact/signals";

const QUIET = 4;
const MAX_PX = 420;
const MIN_MODULE_PX = 3;

const page_px = signal(document.documentElement.clientWidth);

addEventListener("resize", () => (page_px.value = document.documentElement.clientWidth));

/* CSS pixels of one module, so that each module is whole pixels of the screen. */
function module_px(side: number): number {
	const dots = devicePixelRatio || 1;
	const room = Math.min(MAX_PX, page_px.value - 4);
	return Math.max(MIN_MODULE_PX, Math.floor((room * dots) / side) / dots);
}

interface Code {
	size: number;
	pad: number;
	path: string;
	/* Each run of modules is a line of width 1, not a filled box. */
	lines: boolean;
}

/* The dark path; a white one is the server's background. */
export function parse_code(svg: string): Code | null {
	const box = /\sviewBox="0 0 (\d{2,3}) (\d{2,3})"/.exec(svg);
	const paths = [...svg.matchAll(/<path\b[^<>]*?\sd="([MmLlHhVvZz0-9 .,-]{1,60000})"[^<>]*>/g)];
	const dark = paths.filter(([tag]) => !/\sfill="(#fff|#ffffff|white)"/i.test(tag));
	if (!box || box[1] !== box[2] || dark.length !== 1) return null;
	const path = dark[0][1];
	/* The corner of the first finder pattern tells how wide the quiet zone is. */
	const start = /^M *(\d+)/i.exec(path);
	if (!start) return null;
	return {
		size: Number(box[1]),
		pad: Math.max(0, QUIET - Number(start[1])),
		path,
		lines: /\sstroke="#000"/.test(dark[0][0]),
	};
}

/* Null when the code cannot be drawn so that a phone reads it. */
export function QrView({ svg, label }: { svg: string; label: string }) {
	const code = parse_code(svg);
	if (!code) return null;
	const side = code.size + 2 * code.pad;
	const px = side * module_px(side);
	return (
		<svg
			class="qr"
			role="img"
			aria-label={label}
			width={px}
			height={px}
			viewBox={[-code.pad, -code.pad, side, side].join(" ")}
			shape-rendering="crispEdges"
		>
			<rect x={-code.pad} y={-code.pad} width={side} height={side} fill="#fff" stroke="none" />
			<path
				d={code.path}
				fill={code.lines ? "none" : "#000"}
				stroke={code.lines ? "#000" : "none"}
			/>
		</svg>
	);
}
