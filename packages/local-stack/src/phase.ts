/** Shows progress on stderr: one line with the seconds of each phase. */
export async function phase<T>(title: string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  process.stderr.write(`${title} …`);
  const life = setInterval(() => process.stderr.write('.'), 5000);
  try {
    const result = await work();
    process.stderr.write(` ${((Date.now() - start) / 1000).toFixed(1)} s\n`);
    return result;
  } catch (error) {
    process.stderr.write(' failed\n');
    throw error;
  } finally {
    clearInterval(life);
  }
}
