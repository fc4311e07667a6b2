-- Strings made, joined, split, substituted and kept in tables that grow and shrink.
local rounds = tonumber(arg[1])
local seed = 42
local function random(n)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % n + 1
end

local words = {}
for i = 1, 2000 do
  local letters = {}
  for j = 1, random(12) + 2 do letters[j] = string.char(96 + random(26)) end
  words[i] = table.concat(letters)
end

local kept, total = {}, 0
for round = 1, rounds do
  local line = {}
  for i = 1, 200 do line[i] = words[random(#words)] .. i end
  local text = table.concat(line, " ")
  local index = {}
  for word in text:gmatch("%a+") do index[word] = (index[word] or 0) + 1 end
  local swapped = text:gsub("(%a)(%a+)", "%2%1"):upper()
  kept[round % 97 + 1] = { text = swapped, index = index }
  local s = ""
  for i = 1, 40 do s = s .. line[i]:reverse() .. "," end
  total = (total + #s + #swapped) % 1000000007
end
local sum = 0
for _, entry in ipairs(kept) do
  for _, n in pairs(entry.index) do sum = sum + n end
end
print(total, sum, kept[1].text:sub(1, 60))
