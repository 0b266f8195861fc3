-- send(company, id, type, key): a wake-up as the message of a Celery task, put into the broker's queue by the script
-- that releases the event. So no process can die between the two, and nothing is sent over the network for it.
--
-- As Celery and kombu's Redis transport write it: https://docs.celeryq.dev/en/stable/internals/protocol.html (version
-- 2), and for the envelope `kombu.transport.virtual.base.Channel.prepare_message`. Names in @ are filled in by
-- delivery/wakeups.py.

local TASKS = cjson.decode('@tasks@') -- by the first word of the event's type: its task and that one's queue
local ENVELOPE = '{"content-type":"application/json","content-encoding":"utf-8",' ..
  '"headers":{"lang":"py","task":"%s","id":"%s","root_id":"%s","parent_id":null,"group":null,"eta":null,' ..
  '"expires":null,"retries":0,"timelimit":[null,null],"argsrepr":%s,"kwargsrepr":"{}"},' ..
  '"properties":{"correlation_id":"%s","delivery_mode":2,"delivery_tag":"%s","priority":0,' ..
  '"delivery_info":{"exchange":"","routing_key":"%s"}},"body":%s}'

local function send(company, id, type, key)
  local tag = string.format('@tag@%.0f-%.0f', redis.call('INCR', '@prefix@wakeups'), redis.call('TIME')[1])
  local task, queue = unpack(TASKS[string.match(type, '^[^.]*')] or TASKS.otherwise)
  local arguments = cjson.encode({ company, id })
  local body = '[' .. arguments .. ',{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'
  local shown = '(' .. string.gsub(key, '/', ' ') .. ')' -- in Flower: the key says more than the id
  redis.call('LPUSH', queue, string.format(ENVELOPE,
    task, tag, tag, cjson.encode(shown), tag, tag, queue, cjson.encode(body)))
end

-- take(type): takes the oldest message off the queue of events of this type, if it is a wake-up: company and id. Nil if
-- there is none; what else lies there is left to Celery.
local function take(type)
  local _, queue = unpack(TASKS[string.match(type, '^[^.]*')] or TASKS.otherwise)
  local oldest = redis.pcall('LINDEX', queue, -1)
  if not oldest or oldest.err or not string.find(oldest, '"delivery_tag":"@tag@', 1, true) then return nil end
  local read, company, id = pcall(function()
    local envelope = cjson.decode(oldest)
    assert(string.sub(envelope.properties.delivery_tag, 1, #'@tag@') == '@tag@')
    local arguments = cjson.decode(envelope.body)[1]
    return arguments[1] .. '', arguments[2] .. ''
  end)
  if not read then return nil end
  redis.call('RPOP', queue)
  return company, id
end
