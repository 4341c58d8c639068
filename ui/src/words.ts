/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks texts up. A language is one more catalogue beside words.en.ts with the
 * same keys; the browser's preference picks it, English fills the gaps.
 */
import { en } from "./words.en";

export type Word = keyof typeof en;
export type Values = Record<string, string | number>;
type Catalogue = Partial<Record<Word, string | { one: string; other: string }>>;

const catalogues: Record<string, Catalogue> = { en };

export const language =
	navigator.languages.map((l) => l.split("-")[0].toLowerCase()).find((l) => l in catalogues) ??
	"en";

const plural = new Intl.PluralRules(language);

/* A text with {name} filled in; {n} also picks between one and other. */
export function t(key: Word, values: Values = {}): string {
	const word = catalogues[language][key] ?? en[key];
	const text =
		typeof word === "string"
			? word
			: plural.select(Number(values.n)) === "one"
				? word.one
				: word.other;
	return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

export function has_word(key: string): key is Word {
	return key in en;
}
