import { describe, expect, it } from '@jest/globals';
import { natsEnv, opsEnv, postgresEnv, telemetryEnv } from './fragments.js';
import { ConfigError, loadConfig } from './load.js';
import { flag, hexKey, integer, networks, oneOf, origins, port } from './settings.js';

const good = {
  NOVACRON_NATS_URL: 'nats://127.0.0.1:4222',
  NOVACRON_NATS_USER: 'orchestrator',
  NOVACRON_NATS_PASSWORD: 'p',
  NOVACRON_PG_PRIMARY: '127.0.0.1:5432',
  NOVACRON_PG_REPLICAS: 'a:5433*3,[::1]:5434',
  NOVACRON_PG_API_PASSWORD: 'a',
  NOVACRON_PG_SYS_PASSWORD: 's',
  NOVACRON_OPS_PORT: '9101',
};
const service = {
  ...natsEnv,
  ...postgresEnv,
  ...opsEnv,
  ...telemetryEnv,
  http: { port: port('NOVACRON_HTTP_PORT', 8080) },
};

function errorOf(load: () => unknown): ConfigError {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('loadConfig', () => {
  it.each(['a b', 'a.b', '*', '>', 'a'.repeat(129)])(
    'refuses %j as NATS user, which is part of subjects',
    (user) => {
      const error = errorOf(() => loadConfig(natsEnv, { ...good, NOVACRON_NATS_USER: user }));
      expect(error.mistakes.map(({ variable }) => variable)).toEqual(['NOVACRON_NATS_USER']);
    },
  );

  it('gives typed values in the shape of the settings, with defaults', () => {
    const config = loadConfig(service, good);
    expect(config.nats).toEqual({
      url: 'nats://127.0.0.1:4222',
      user: 'orchestrator',
      password: 'p',
      streamReplicas: 1,
    });
    expect(config.postgres.primary).toEqual({ host: '127.0.0.1', port: 5432 });
    expect(config.postgres.replicas).toEqual([
      { host: 'a', port: 5433, weight: 3 },
      { host: '::1', port: 5434, weight: 1 },
    ]);
    expect(config.postgres.ownerPassword).toBeUndefined();
    expect(config.telemetry).toEqual({ logLevel: 'info', traceRatio: 0.01, otlpEndpoint: undefined });
    const httpPort: number = config.http.port;
    expect(httpPort).toBe(8080);
  });

  it('reports each missing or wrong variable in one error', () => {
    const error = errorOf(() =>
      loadConfig(service, {
        ...good,
        NOVACRON_NATS_USER: '',
        NOVACRON_PG_PRIMARY: 'no-port',
        NOVACRON_PG_REPLICAS: 'a:1,b:2*0',
        NOVACRON_HTTP_PORT: '80x',
        NOVACRON_TRACE_RATIO: '7',
        NOVACRON_LOG_LEVEL: 'loud',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://x',
        NOVACRON_OPS_PORT: undefined,
      }),
    );
    expect(error.mistakes.map((mistake) => mistake.variable).sort()).toEqual([
      'NOVACRON_HTTP_PORT',
      'NOVACRON_LOG_LEVEL',
      'NOVACRON_NATS_USER',
      'NOVACRON_OPS_PORT',
      'NOVACRON_PG_PRIMARY',
      'NOVACRON_PG_REPLICAS',
      'NOVACRON_TRACE_RATIO',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
    ]);
    expect(error.message).toContain('8 mistakes in the configuration:');
    expect(error.message).toContain('NOVACRON_HTTP_PORT is "80x" and must be a whole number from 0 to 65535');
    expect(error.message).toContain('NOVACRON_OPS_PORT is missing');
  });

  it('never shows the value of a secret', () => {
    const error = errorOf(() => loadConfig({ key: hexKey('KEY', 32) }, { KEY: 'hunter2' }));
    expect(error.message).toContain('KEY has a value that must be 32 bytes in hexadecimal');
    expect(error.message).not.toContain('hunter2');
  });

  it('reads origins as browsers send them, and refuses other texts', () => {
    const read = (value: string) => loadConfig({ n: origins('N') }, { N: value }).n;
    expect(read('https://a.example, http://localhost:5173')).toEqual([
      'https://a.example',
      'http://localhost:5173',
    ]);
    expect([read('*'), loadConfig({ n: origins('N') }, {}).n]).toEqual([['*'], []]);
    for (const wrong of ['https://a.example/', 'a.example', 'https://A.example', 'ftp://a.example'])
      expect(() => read(wrong)).toThrow('must be a list of origins');
  });

  it.each(['10.0.0.0/8,192.0.2.7, ::1/128', 'uniquelocal,fd00::/8'])('reads the networks %j', (value) => {
    const { n } = loadConfig({ n: networks('N') }, { N: value });
    expect(n).toEqual(value.split(',').map((part) => part.trim()));
    expect(loadConfig({ n: networks('N') }, {}).n).toEqual([]);
  });

  it.each(['1', 'all', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.1,', 'fd00::/-1'])(
    'refuses %j as networks',
    (value) => {
      expect(() => loadConfig({ n: networks('N') }, { N: value })).toThrow(ConfigError);
    },
  );

  it.each(['1e3', ' 5 ', '-3', '0'])('reads the whole number %j', (value) => {
    expect(loadConfig({ n: integer('N', { min: -10, max: 1000 }) }, { N: value }).n).toBe(Number(value));
  });

  it.each(['1.5', '0x10', 'Infinity', 'NaN', '1e9', '1..2'])('refuses %j as a whole number', (value) => {
    expect(() => loadConfig({ n: integer('N', { min: -10, max: 1000 }) }, { N: value })).toThrow(ConfigError);
  });

  it('uses a default only when the variable is missing', () => {
    const settings = { on: flag('ON', true), word: oneOf('WORD', ['a', 'b'], 'a') };
    expect(loadConfig(settings, {})).toEqual({ on: true, word: 'a' });
    expect(loadConfig(settings, { ON: '0', WORD: 'b' })).toEqual({ on: false, word: 'b' });
    expect(errorOf(() => loadConfig(settings, { ON: 'yes', WORD: 'c' })).mistakes).toHaveLength(2);
  });
});
