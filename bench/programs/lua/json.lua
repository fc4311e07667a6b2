-- A JSON reader and writer in Lua, over documents made here.
local rounds = tonumber(arg[1])

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }
local plain = { n = "\n", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function encode(value, out)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = '"' .. value:gsub('["\\\n\t]', escapes) .. '"'
  elseif kind == "table" and #value > 0 then
    out[#out + 1] = "["
    for i, element in ipairs(value) do
      if i > 1 then out[#out + 1] = "," end
      encode(element, out)
    end
    out[#out + 1] = "]"
  elseif kind == "table" then
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys)
    out[#out + 1] = "{"
    for i, key in ipairs(keys) do
      out[#out + 1] = (i > 1 and "," or "") .. '"' .. key .. '":'
      encode(value[key], out)
    end
    out[#out + 1] = "}"
  else
    out[#out + 1] = tostring(value)
  end
end

local decode
local function skip(text, at) return text:find("%S", at) end

local function string_at(text, at)
  local parts, start = {}, at + 1
  while true do
    local stop = text:find('["\\]', start)
    parts[#parts + 1] = text:sub(start, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
    parts[#parts + 1] = plain[text:sub(stop + 1, stop + 1)]
    start = stop + 2
  end
end

function decode(text, at)
  at = skip(text, at)
  local first = text:sub(at, at)
  if first == "{" then
    local object = {}
    at = skip(text, at + 1)
    while text:sub(at, at) ~= "}" do
      if text:sub(at, at) == "," then at = skip(text, at + 1) end
      local key
      key, at = string_at(text, at)
      object[key], at = decode(text, skip(text, at) + 1)
      at = skip(text, at)
    end
    return object, at + 1
  elseif first == "[" then
    local array = {}
    at = skip(text, at + 1)
    while text:sub(at, at) ~= "]" do
      if text:sub(at, at) == "," then at = at + 1 end
      array[#array + 1], at = decode(text, at)
      at = skip(text, at)
    end
    return array, at + 1
  elseif first == '"' then
    return string_at(text, at)
  end
  local word = text:match("^[%w%.%-+]+", at)
  local value = tonumber(word)
  if value == nil then value = word == "true" end
  return value, at + #word
end

local document = {}
for i = 1, 400 do
  document[i] = {
    id = i, name = "item " .. i, price = i * 1.25, tags = { "a" .. i % 7, "b\n" .. i % 11, 'c"' .. i % 13 },
    nested = { left = { i, i + 1, i + 2 }, right = { flag = i % 2 == 0, text = ("x"):rep(i % 50) } },
  }
end
local text
for _ = 1, rounds do
  local out = {}
  encode(document, out)
  text = table.concat(out)
  document = decode(text, 1)
end
print(#text, text:sub(1, 200))
