import { openApiDocument } from '@novacron/contracts/openapi/document';
import { API_VERSION, operations } from '@novacron/contracts/operations/all';

/** The OpenAPI document, made once for `/openapi.json` and `/docs`. */
export const apiDocument = openApiDocument(operations, API_VERSION);
