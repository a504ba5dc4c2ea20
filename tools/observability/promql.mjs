// Parses PromQL expressions with Prometheus' own grammar.
import { parser } from '@prometheus-io/lezer-promql';

const textOf = (query, { from, to }) => query.slice(from, to);

/** A label matcher: `job="gateway"`. */
function matcherOf(query, node) {
  const label = textOf(query, node.firstChild);
  const value = JSON.parse(`"${textOf(query, node.lastChild).slice(1, -1)}"`);
  return { label, operator: textOf(query, node.getChild('MatchOp')), value };
}

function selectorOf(query, node) {
  const matchers = node
    .getChild('LabelMatchers')
    ?.getChildren('UnquotedLabelMatcher')
    .map((matcher) => matcherOf(query, matcher));
  const named = node.getChild('Identifier');
  const name = named
    ? textOf(query, named)
    : matchers?.find(({ label, operator }) => label === '__name__' && operator === '=')?.value;
  return { name, matchers: (matchers ?? []).filter(({ label }) => label !== '__name__') };
}

/**
 * Returns the series that a query selects, the labels that it groups or joins by, and its syntax errors.
 * The query may contain Grafana's variables for durations.
 */
export function asksFor(expression) {
  const query = expression.replace(/\$(__rate_interval|__interval|__range)\b/g, '5m');
  const asked = { selectors: [], grouping: [], errors: [] };
  parser.parse(query).iterate({
    enter({ node, type, name }) {
      if (type.isError) asked.errors.push(`invalid PromQL near «${query.slice(node.from, node.from + 20)}»`);
      if (name === 'VectorSelector') asked.selectors.push(selectorOf(query, node));
      if (name === 'GroupingLabels')
        for (const label of node.getChildren('LabelName')) asked.grouping.push(textOf(query, label));
    },
  });
  return asked;
}
