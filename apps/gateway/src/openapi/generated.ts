import { errorsMarkdown } from '../errors/error-docs.js';
import { API_VERSION } from '../http.js';
import { routes } from '../routes.js';
import { openApiDocument } from './document.js';

/** Files made from the code, by their path from the repository's root. They are committed; a test compares. */
export function generatedFiles(): Record<string, string> {
  return {
    'apps/gateway/openapi.generated.json': `${JSON.stringify(openApiDocument(routes, API_VERSION), null, 2)}\n`,
    'docs/errors.md': errorsMarkdown(),
  };
}
