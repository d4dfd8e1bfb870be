-- What the nodes of a gateway count together, each script at one moment; the call of one of its functions is appended.
-- Every key has one hash tag, so that a cluster keeps them on one shard. Arguments and answers are JSON.

local P = '{newapi}:'
local WINDOW = 60
local A = cjson.decode(ARGV[1])
local now = A.now
if now == cjson.null or now == nil then
    local time = redis.call('TIME')
    now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local call = redis.call
local function int(value) return string.format('%.0f', value) end

-- who is alive ---------------------------------------------------------------------------

local function deadline(owner) return tonumber(call('ZSCORE', P .. 'owners', owner) or '-inf') end

-- limits ---------------------------------------------------------------------------------

local function forget(key)
    call('ZREMRANGEBYSCORE', P .. 'r:' .. key, '-inf', now - WINDOW)
    local old = call('ZRANGEBYSCORE', P .. 'k:' .. key, '-inf', now - WINDOW)
    for _, member in ipairs(old) do
        local count = tonumber(call('HGET', P .. 'kv:' .. key, member) or '0')
        call('HINCRBY', P .. 'kv:' .. key, '=', int(-count))
        call('HDEL', P .. 'kv:' .. key, member)
    end
    call('ZREMRANGEBYSCORE', P .. 'k:' .. key, '-inf', now - WINDOW)
end

local function at_once(key)
    local sum, counts = 0, call('HGETALL', P .. 'a:' .. key)
    for i = 1, #counts, 2 do
        if deadline(counts[i]) > now then sum = sum + tonumber(counts[i + 1]) end
    end
    return sum
end

local function token_sum(key) return tonumber(call('HGET', P .. 'kv:' .. key, '=') or '0') end

local function reset(name, key)
    local last = call('ZRANGE', P .. name .. key, -1, -1, 'WITHSCORES')
    return last[2] and math.max(0, tonumber(last[2]) + WINDOW - now) or 0
end

local function gauge(old, limit, used, name, key)
    local left = math.max(0, limit - used)
    if old and old[2] <= left then return old end
    return { limit, left, reset(name, key) }
end

local function standing(holders)
    local requests, tokens
    for _, h in ipairs(holders) do
        if h.requests > 0 then
            requests = gauge(requests, h.requests, call('ZCARD', P .. 'r:' .. h.key), 'r:', h.key)
        end
        if h.tokens > 0 then tokens = gauge(tokens, h.tokens, token_sum(h.key), 'k:', h.key) end
    end
    return { requests or cjson.null, tokens or cjson.null }
end

local function until_fits(key, most)
    local total, at = token_sum(key), 0
    local entries = call('ZRANGE', P .. 'k:' .. key, 0, -1, 'WITHSCORES')
    for i = 1, #entries, 2 do
        if total <= most then break end
        total = total - tonumber(call('HGET', P .. 'kv:' .. key, entries[i]) or '0')
        at = tonumber(entries[i + 1]) + WINDOW
    end
    return at - now
end

local function refused(h)
    if h.at_once > 0 and at_once(h.key) >= h.at_once then return { 'at_once', h.at_once, 1 } end
    local r = P .. 'r:' .. h.key
    local starts = call('ZCARD', r)
    if h.requests > 0 and starts >= h.requests then
        local first = call('ZRANGE', r, starts - h.requests, starts - h.requests, 'WITHSCORES')
        return { 'requests', h.requests, tonumber(first[2]) + WINDOW - now }
    end
    if h.tokens > 0 and call('ZCARD', P .. 'k:' .. h.key) > 0 and token_sum(h.key) + A.tokens > h.tokens then
        return { 'tokens', h.tokens, until_fits(h.key, h.tokens - A.tokens) }
    end
    for _, b in ipairs(h.budgets) do -- {period, start, most, end}
        local spent = tonumber(call('GET', P .. 'b:' .. h.key .. ':' .. b[1] .. ':' .. int(b[2])) or '0')
        if spent + A.quota > b[3] or spent >= b[3] then return { b[1], b[3], spent } end
    end
end

local function add_to_budget(key, period, start, ends, quota)
    local name = P .. 'b:' .. key .. ':' .. period .. ':' .. int(start)
    call('INCRBY', name, int(quota))
    call('EXPIRE', name, int(math.max(1, ends + 3600 - now)))
end

local function enter()
    for _, h in ipairs(A.holders) do forget(h.key) end
    for _, h in ipairs(A.holders) do
        local no = refused(h)
        if no then return { no = no, standing = standing(A.holders) } end
    end
    local member = A.owner .. '/' .. A.ticket
    for _, h in ipairs(A.holders) do
        call('HINCRBY', P .. 'a:' .. h.key, A.owner, 1)
        if h.requests > 0 then
            call('ZADD', P .. 'r:' .. h.key, now, member)
            call('EXPIRE', P .. 'r:' .. h.key, WINDOW * 2)
        end
        if h.tokens > 0 then
            call('ZADD', P .. 'k:' .. h.key, now, member)
            call('HSET', P .. 'kv:' .. h.key, member, int(A.tokens))
            call('HINCRBY', P .. 'kv:' .. h.key, '=', int(A.tokens))
            call('EXPIRE', P .. 'k:' .. h.key, WINDOW * 2)
            call('EXPIRE', P .. 'kv:' .. h.key, WINDOW * 2)
        end
        for _, b in ipairs(h.budgets) do add_to_budget(h.key, b[1], b[2], b[4], A.quota) end
    end
    call('HSET', P .. 't:' .. A.owner, A.ticket, cjson.encode({ quota = A.quota, holders = A.holders }))
    return { standing = standing(A.holders) }
end

-- `tokens` is nil where the estimate stands; `periods` has by period the beginning and the end of the one that is now.
local function correct(owner, ticket, tokens, quota, periods)
    local entered = call('HGET', P .. 't:' .. owner, ticket)
    if not entered then return end
    call('HDEL', P .. 't:' .. owner, ticket)
    entered = cjson.decode(entered)
    local member = owner .. '/' .. ticket
    for _, h in ipairs(entered.holders) do
        if call('HINCRBY', P .. 'a:' .. h.key, owner, -1) <= 0 then call('HDEL', P .. 'a:' .. h.key, owner) end
        local score = call('ZSCORE', P .. 'k:' .. h.key, member)
        if tokens and score and tonumber(score) > now - WINDOW then
            local before = tonumber(call('HGET', P .. 'kv:' .. h.key, member) or '0')
            call('HSET', P .. 'kv:' .. h.key, member, int(tokens))
            call('HINCRBY', P .. 'kv:' .. h.key, '=', int(tokens - before))
        end
        for _, b in ipairs(h.budgets) do
            local current = periods[b[1]]
            local aside = current[1] == b[2] and entered.quota or 0
            add_to_budget(h.key, b[1], current[1], current[2], quota - aside)
        end
    end
end

local function leave() correct(A.owner, A.ticket, A.tokens, A.quota, A.periods) end

local function learn() -- what was counted already is at least as much
    for _, b in ipairs(A.spent) do -- {period, start, quota, end}
        local name = P .. 'b:' .. A.key .. ':' .. b[1] .. ':' .. int(b[2])
        if tonumber(call('GET', name) or '0') < b[3] then call('SET', name, int(b[3])) end
        call('EXPIRE', name, int(math.max(1, b[4] + 3600 - now)))
    end
end

-- balances -------------------------------------------------------------------------------

local function know(account, known) -- {granted, settled, version}
    local e = P .. 'e:' .. account
    local version = tonumber(call('HGET', e, 'v') or '-1')
    if known[3] >= version then
        call('HSET', e, 'g', int(known[1]), 'v', int(known[3]))
        if tonumber(call('HGET', e, 'u') or '-inf') < known[2] then call('HSET', e, 'u', int(known[2])) end
    end
end

local function change(owner, account, by)
    local e = P .. 'e:' .. account
    if call('EXISTS', e) == 0 then return end
    if call('HINCRBY', e, 'l:' .. owner, int(by)) <= 0 then call('HDEL', e, 'l:' .. owner) end
    call('SADD', P .. 'o:' .. owner, account)
end

local function lend()
    know(A.account, A.known)
    local fields = call('HGETALL', P .. 'e:' .. A.account)
    local balance, lent, others = 0, 0, {}
    for i = 1, #fields, 2 do
        local name, value = fields[i], tonumber(fields[i + 1])
        if name == 'g' then balance = balance + value end
        if name == 'u' then balance = balance - value end
        if string.sub(name, 1, 2) == 'l:' then
            lent = lent + value
            local other = string.sub(name, 3)
            if other ~= A.owner and deadline(other) > now then table.insert(others, other) end
        end
    end
    local free, amount = balance - lent, 0
    if free >= A.need then
        amount = math.max(A.need, math.floor(free / A.part))
        change(A.owner, A.account, amount)
    end
    return { amount = amount, balance = balance, others = others }
end

local function give_back() change(A.owner, A.account, -A.amount) end

local function overdraw()
    know(A.account, A.known)
    change(A.owner, A.account, A.amount)
end

local function tell(owner, segments, sums, first)
    local told = P .. 's:' .. owner
    for _, segment in ipairs(segments) do
        if call('SISMEMBER', told, segment) == 1 then return end
    end
    if first then call('DEL', told) end
    for _, segment in ipairs(segments) do call('SADD', told, segment) end
    call('EXPIRE', told, 7 * 24 * 3600)
    for account, quota in pairs(sums) do
        if call('EXISTS', P .. 'e:' .. account) == 1 then
            call('HINCRBY', P .. 'e:' .. account, 'u', int(quota))
            if quota > 0 then change(owner, account, -quota) end
        end
    end
end

local function spend() tell(A.owner, A.segments, A.sums, A.first) end

-- coming and going -----------------------------------------------------------------------

local function forget_owner(owner, charged, periods)
    local tickets = call('HKEYS', P .. 't:' .. owner)
    for _, ticket in ipairs(tickets) do correct(owner, ticket, nil, charged[ticket] or 0, periods) end
    for _, account in ipairs(call('SMEMBERS', P .. 'o:' .. owner)) do
        call('HDEL', P .. 'e:' .. account, 'l:' .. owner)
    end
    call('DEL', P .. 't:' .. owner, P .. 'o:' .. owner)
    call('ZREM', P .. 'owners', owner)
end

local function beat()
    call('ZADD', P .. 'owners', now + A.lease, A.owner)
    for _, owner in ipairs(call('ZRANGEBYSCORE', P .. 'owners', '-inf', now - A.hold)) do
        forget_owner(owner, {}, A.periods)
    end
end

local function hello() -- it may have been here before, and says anew what it holds
    forget_owner(A.owner, {}, A.periods)
    beat()
end

local function bye() forget_owner(A.owner, {}, A.periods) end

local function bury()
    local owners = {}
    for _, replay in ipairs(A.replays) do -- {owner, segment, sums}
        tell(replay[1], { replay[2] }, replay[3], false)
        owners[replay[1]] = true
    end
    for owner in pairs(owners) do forget_owner(owner, A.charged, A.periods) end -- their journals are nobody's: they died
end
