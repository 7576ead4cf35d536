-- Asks Keywright about each request, through the frontend `keywright` of haproxy.cfg.
local keywright = "http://127.0.0.1:4431/gateway/verify/"
local identity = { "actor", "key-id", "scopes", "tenant", "metadata", "identity" }

-- All lines of a header.
local function lines(headers, name)
  local found = {}
  if headers[name] ~= nil then
    for index = 0, #headers[name] do found[#found + 1] = headers[name][index] end
  end
  return found
end

local function first(headers, name)
  return headers ~= nil and headers[name] ~= nil and headers[name][0] or ""
end

local function refuse(txn, status, response)
  local reply = txn:reply()
  reply:set_status(status)
  for _, name in ipairs({ "content-type", "www-authenticate", "retry-after", "ratelimit", "ratelimit-policy" }) do
    local value = first(response and response.headers, name)
    if value ~= "" then reply:add_header(name, value) end
  end
  reply:set_body(response and response.body or "")
  txn:done(reply)
end

core.register_action("keywright", { "http-req" }, function(txn)
  local headers = txn.http:req_get_headers()
  local response = core.httpclient():get({
    url = keywright .. txn:get_var("txn.keywright_demands"),
    headers = {
      ["authorization"] = lines(headers, "authorization"),
      ["x-api-key"] = lines(headers, "x-api-key"),
      ["x-forwarded-for"] = { txn.sf:src() },
    },
    timeout = 1000,
  })
  -- Only a 200 lets a request pass.
  if response == nil or response.status ~= 200 then
    local status = response and response.status or 503
    if status < 400 or status >= 500 then status = 503 end
    return refuse(txn, status, response)
  end
  for name in pairs(headers) do
    -- Some upstreams read X_Keywright_Actor as X-Keywright-Actor.
    if name:match("^x[-_]keywright[-_]") then txn.http:req_del_header(name) end
  end
  for _, name in ipairs(identity) do
    txn.http:req_set_header("x-keywright-" .. name, first(response.headers, "x-keywright-" .. name))
  end
  txn:set_var("txn.keywright_limit", first(response.headers, "ratelimit"))
  txn:set_var("txn.keywright_limit_policy", first(response.headers, "ratelimit-policy"))
  -- The key is not passed on.
  txn.http:req_del_header("authorization")
  txn.http:req_del_header("x-api-key")
  txn:set_var("txn.keywright_allowed", true)
end)
