-- wrk script. env: OP, COOKIES, ORIGIN, TAG, PASSWORD
local op = os.getenv("OP")
local base = os.getenv("BASEPATH") or "/api/auth"
local reqs, n = {}, 0
local tid = 0
local threads = 0
function setup(thread) thread:set("tid", threads); threads = threads + 1 end
local origin = os.getenv("ORIGIN")
local tag = os.getenv("TAG") or "x"
local counter = 0
local get = { ["get-session"] = "/get-session", token = "/token", ["org-list"] = "/organization/list", jwks = "/jwks", ok = "/ok" }
function init(args)
  math.randomseed(os.time() * 7 + tid * 1013)
  if get[op] then
    if op == "jwks" or op == "ok" then
      reqs[1] = wrk.format("GET", base .. get[op], {}); n = 1
    else
      for line in io.lines(os.getenv("COOKIES")) do
        n = n + 1
        reqs[n] = wrk.format("GET", base .. get[op], { ["Cookie"] = line })
      end
    end
  elseif op == "sign-in" then
    for i = 1, math.min(20000, tonumber(os.getenv("USERS"))) do
      n = n + 1
      reqs[n] = wrk.format("POST", base .. "/sign-in/email", { ["Content-Type"] = "application/json", ["Origin"] = origin },
        '{"email":"user' .. i .. '@bench.local","password":"' .. os.getenv("PASSWORD") .. '"}')
    end
  end
end
function request()
  if op == "sign-up" then
    counter = counter + 1
    return wrk.format("POST", base .. "/sign-up/email", { ["Content-Type"] = "application/json", ["Origin"] = origin },
      '{"email":"su-' .. tag .. "-" .. tid .. "-" .. counter .. '@bench.local","password":"' .. os.getenv("PASSWORD") .. '","name":"Sign Up"}')
  end
  return reqs[n == 1 and 1 or math.random(n)]
end
function done(s, l, r)
  io.write(string.format('\nJSON {"requests":%d,"us":%d,"p50":%.1f,"p90":%.1f,"p99":%.1f,"max":%.1f,"status":%d,"connect":%d,"read":%d,"timeout":%d,"bytes":%d}\n',
    s.requests, s.duration, l:percentile(50), l:percentile(90), l:percentile(99), l.max, s.errors.status, s.errors.connect, s.errors.read, s.errors.timeout, s.bytes))
end
