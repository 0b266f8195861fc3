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
  local tag = string.format('@tag@%.0f', redis.call('INCR', '@prefix@wakeups'))
  local task, queue = unpack(TASKS[string.match(type, '^[^.]*')] or TASKS.otherwise)
  local arguments = cjson.encode({ company, id })
  local body = '[' .. arguments .. ',{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'
  local shown = '(' .. string.gsub(key, '/', ' ') .. ')' -- in Flower: the key says more than the id
  redis.call('LPUSH', queue, string.format(ENVELOPE,
    task, tag, tag, cjson.encode(shown), tag, tag, queue, cjson.encode(body)))
end
