import type { ApiKeysService } from "../../../gen/keywright/v2alpha1/api_keys_service_pb.ts";
import type { Implementation } from "../../call/methods.ts";
import type { TokenKeySource } from "../../ports/token-keys.ts";

/** How long verifiers may keep a copy. A new key must be published for this long before it signs. */
const maxAgeSeconds = 300;

export function getJwks(tokenKeys: Pick<TokenKeySource, "current">): Implementation<typeof ApiKeysService.method.getJwks> {
  return (_request, call) => {
    const { published, version } = tokenKeys.current();
    const keys = [...published];
    call.setResponseHeader("cache-control", `public, max-age=${maxAgeSeconds}`);
    // Weak, because another version of the service may write the same keys in another way.
    call.setResponseHeader("etag", `W/"${version}"`);
    return { jwks: { keys }, keys };
  };
}
