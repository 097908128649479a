-- wrk script of `cargo xtask bench data-api`. env: OP, BASE, TOKEN, OWNER
local op, base, token = os.getenv("OP"), os.getenv("BASE"), os.getenv("TOKEN")
local owner = os.getenv("OWNER")
local tid, threads = 0, 0
function setup(thread) thread:set("tid", threads); threads = threads + 1 end
function init(args) math.randomseed(os.time() * 7 + tid * 1013) end
local read = { ["Authorization"] = "Bearer " .. token }
local count = { ["Authorization"] = "Bearer " .. token, ["Prefer"] = "count=exact" }
local write = { ["Authorization"] = "Bearer " .. token, ["Prefer"] = "return=minimal", ["Content-Type"] = "application/json" }
local body = '{"owner":"' .. owner .. '","note":"from the bench"}'
local mixed = { "read", "page", "count", "insert" }
function request()
  local what = op
  if op == "mixed" then what = mixed[math.random(4)] end
  if what == "read" then
    return wrk.format("GET", base .. "/items?id=eq." .. math.random(100000), read)
  elseif what == "page" then
    return wrk.format("GET", base .. "/items?select=id,title,price,customer:customers(name)&id=gt." .. math.random(99000) .. "&order=id&limit=100", read)
  elseif what == "count" then
    return wrk.format("GET", base .. "/items?select=id&kind=eq." .. math.random(499) .. "&limit=1", count)
  end
  return wrk.format("POST", base .. "/events", write, body)
end
function done(s, l, r)
  io.write(string.format('\nJSON {"requests":%d,"us":%d,"p50":%.1f,"p90":%.1f,"p99":%.1f,"max":%.1f,"status":%d,"connect":%d,"read":%d,"timeout":%d,"bytes":%d}\n',
    s.requests, s.duration, l:percentile(50), l:percentile(90), l:percentile(99), l.max, s.errors.status, s.errors.connect, s.errors.read, s.errors.timeout, s.bytes))
end
