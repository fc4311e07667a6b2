-- All placements of n queens by passing new boards down: small tables, short-lived.
local n = tonumber(arg[1])

local function fits(board, row, column)
  for r, c in ipairs(board) do
    if c == column or math.abs(c - column) == row - r then return false end
  end
  return true
end

local function place(board, row)
  if row > n then return { board } end
  local found = {}
  for column = 1, n do
    if fits(board, row, column) then
      local next = table.move(board, 1, #board, 1, {})
      next[row] = column
      for _, solution in ipairs(place(next, row + 1)) do found[#found + 1] = solution end
    end
  end
  return found
end

local all = place({}, 1)
print(#all)
for i = 1, #all, 100 do print(table.concat(all[i], " ")) end
