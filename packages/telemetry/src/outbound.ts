import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

/**
 * The guide's limits for the HTTP requests of a service: 100 connections, 10 to a host, closed after 90 s
 * without use. Its 30 s for an answer are the most that a caller may allow itself; the span exporter waits 3 s.
 */
const LIMITS: AgentOptions = {
  keepAlive: true,
  maxTotalSockets: 100,
  maxSockets: 10,
  maxFreeSockets: 10,
  timeout: 90_000,
};

const agents = new Map<string, HttpAgent | HttpsAgent>();

/** The agent that every HTTP request of this process goes out through: one pool, made when it is first needed. */
export function outboundAgent(protocol: string): HttpAgent | HttpsAgent {
  let agent = agents.get(protocol);
  if (agent === undefined) {
    agent = protocol === 'https:' ? new HttpsAgent(LIMITS) : new HttpAgent(LIMITS);
    agents.set(protocol, agent);
  }
  return agent;
}
