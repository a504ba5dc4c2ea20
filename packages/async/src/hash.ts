/** The offset basis of FNV-1a, 32 bits. */
const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/), over the low byte of each UTF-16 unit: for ids and
 * other ASCII texts. Every process and every release gets the same number.
 */
export function fnv1a(text: string, basis = BASIS): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ (text.charCodeAt(i) & 0xff), PRIME);
  return hash >>> 0;
}
