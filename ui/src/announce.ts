/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one polite live region. Texts queue for a moment so that two changes at
 * once are both read, and an equal text is read again.
 */
import { signal } from "@preact/signals";

export const spoken = signal("");

let waiting: string[] = [];
let timer = 0;

export function announce(text: string) {
	waiting.push(text);
	if (timer) return;
	spoken.value = "";
	timer = window.setTimeout(() => {
		spoken.value = waiting.join(". ");
		waiting = [];
		timer = 0;
	}, 150);
}
