export { Failure } from "./http/failure.js";
export type { HeadersLike, WebHeaders } from "./http/header-record.js";
export {
  type HttpAnswer,
  type Profile,
  type ResponseOptions,
  toErrorResponse,
  toResponse,
} from "./http/response.js";
export { tokenFrom } from "./http/token-from.js";
export { upstreamHeaders } from "./http/upstream-headers.js";
